/** React in a document of its own, in this process: what the hooks' tests render into. */
import { Window } from "happy-dom";
import { createElement, type ReactNode, StrictMode } from "react";
import type { Teardown } from "./start-gateway.ts";

/** Renders under StrictMode; unmounted when the test ends. */
export async function renderReact(t: Teardown, node: ReactNode, { html }: { html?: string } = {}) {
  const window = new Window({ url: "http://localhost/" });
  // React DOM asks the global scope for these when it is loaded, and while it works.
  Object.assign(globalThis, { window, document: window.document });
  const { createRoot, hydrateRoot } = await import("react-dom/client");
  const place = window.document.createElement("div");
  window.document.body.append(place);
  if (html !== undefined) place.innerHTML = html;
  const container = place as unknown as Element;
  const errors: unknown[] = [];
  const options = {
    onRecoverableError: (error: unknown) => void errors.push(error),
    onUncaughtError: (error: unknown) => void errors.push(error),
  };
  const strict = (child: ReactNode) => createElement(StrictMode, null, child);
  const root = html === undefined ? createRoot(container, options) : hydrateRoot(container, strict(node), options);
  if (html === undefined) root.render(strict(node));
  t.after(async () => {
    root.unmount();
    await window.happyDOM.close();
  });
  return {
    text: () => place.textContent,
    errors,
    rerender: (next: ReactNode) => root.render(strict(next)),
  };
}
