import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// biome-ignore lint/style/noDefaultExport: Vite reads the default export.
export default defineConfig({
  plugins: [react()],
  // Everything from this host and nothing inline, so that the strictest Content-Security-Policy fits.
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false }, target: "es2023" },
  // `pnpm --filter @parley/web exec vite`: the page from sources, its connection to a gateway that runs beside it.
  server: { proxy: { "/ws": { target: "ws://127.0.0.1:8080", ws: true } } },
});
