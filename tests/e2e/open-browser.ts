import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { findChromium } from "../support/chromium.ts";
import type { Teardown } from "../support/teardown.ts";
import { waitFor } from "../support/wait-for.ts";

const flags =
  "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";

/** Real Chromium; closed when the test ends. */
export async function openBrowser(teardown: Teardown): Promise<Browser> {
  const found = findChromium();
  if (found.file === null) throw new Error(found.reason);
  const browser = await chromium.launch({ executablePath: found.file, args: flags.split(" ") });
  teardown.after(() => browser.close());
  return browser;
}

/** A page of its own person: nothing is shared with other pages. */
export async function openPage(browser: Browser, address: string, options?: BrowserContextOptions): Promise<Page> {
  const context = await browser.newContext(options);
  // Who lost a gateway is back within as much [R6]; and a failure should be seen before a suite's time is over.
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  await page.goto(address);
  return page;
}

/** Gives the name the page asks for, and waits until the room is there. */
export async function enterAs(page: Page, name: string): Promise<void> {
  await page.getByLabel("What shall others call you?").fill(name);
  await page.getByRole("button", { name: "Come in" }).click();
  await page.getByText("served by").waitFor({ state: "attached" });
}

export async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel(/^Message to/).fill(text);
  await page.keyboard.press("Enter");
}

/** Texts of the stored messages on the page, from top to bottom. */
export const messagesOn = (page: Page): Promise<string[]> => page.locator("article .text").allTextContents();

/** Waits until the page shows these messages and no others. */
export async function shows(page: Page, texts: readonly string[], timeoutMs = 30_000): Promise<void> {
  let seen: string[] = [];
  const areShown = async () => {
    seen = await messagesOn(page);
    return JSON.stringify(seen) === JSON.stringify(texts);
  };
  await waitFor(() => `messages "${texts}" where there are "${seen}"`, areShown, { timeoutMs });
}
