import { aptInstall, findOnPath } from "@parley/local";

/** Where a browser for tests is, or why there is none. */
export type FoundChromium = { file: string } | { file: null; reason: string };

/** `CHROMIUM_PATH`, else a Chromium or Chrome on the PATH. Installs nothing. */
export function findChromium(): FoundChromium {
  const file = process.env.CHROMIUM_PATH || findOnPath("chromium", "chromium-browser", "google-chrome");
  if (file) return { file };
  return { file: null, reason: "no Chromium: install one (Debian: apt-get install chromium) or set CHROMIUM_PATH" };
}

/** As `findChromium`, but gets Debian's package first where that needs no asking. */
export function ensureChromium(announce: (line: string) => void): FoundChromium {
  const found = findChromium();
  if (found.file !== null) return found;
  return aptInstall("chromium", "for the tests in a browser", announce) ? findChromium() : found;
}
