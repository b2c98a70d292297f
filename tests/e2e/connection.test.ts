import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type Parley } from "@parley/client";
import type { Browser, Page } from "playwright-core";
import { startProxy } from "../support/start-proxy.ts";
import { startTestStack, type TestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { enterAs, messagesOn, openBrowser, openPage, say, shows as showsIn } from "./open-browser.ts";

/** PARLEY_LONG=1: as long as people are away, rather than as long as it takes to show what happens. */
const isLong = process.env.PARLEY_LONG === "1";
const awayMs = isLong ? 60_000 : 4_000;
const hiddenMs = isLong ? 120_000 : 8_000;

describe("a person whose network is bad", () => {
  let stack: TestStack;
  let browser: Browser;
  let other: Parley;
  const steps: (() => Promise<void> | void)[] = [];
  const teardown = { after: (step: () => Promise<void> | void) => void steps.unshift(step) };
  before(async () => {
    stack = await startTestStack(teardown, { chat: 1 });
    browser = await openBrowser(teardown);
    other = connect({ url: `${stack.wsUrl(2)}/ws`, guest: { name: "Grace" } });
    teardown.after(() => other.close());
  });
  after(async () => {
    for (const step of steps) await step();
  });

  const shows = (page: Page, texts: string[]) => showsIn(page, texts, 40_000);
  /** What the person reads about their connection. */
  const served = (page: Page, words: RegExp) => page.getByText(words).waitFor({ state: "attached", timeout: 40_000 });
  /** Counts the banners that are shown from now on. */
  const watchBanners = (page: Page) =>
    page.evaluate(`
      globalThis.banners = 0;
      new MutationObserver(() => { if (document.querySelector(".banner")) banners++; })
        .observe(document.querySelector(".banner-place"), { childList: true });
    `);
  const banners = (page: Page) => page.evaluate<number>("banners");

  test("WebSocket blocked: a stream; the stream held back: polling; WebSocket allowed: back to it, with nothing to see", async (t) => {
    const proxy = await startProxy(t, stack.httpUrl(1));
    proxy.webSockets = "refuse";
    const page = await openPage(browser, `${proxy.url}/#/room/blocked`);
    await enterAs(page, "Ada");
    await served(page, /served by .*, as a stream/);
    await say(page, "by stream");
    await shows(page, ["by stream"]);
    proxy.streams = "hold";
    await page.reload();
    await served(page, /served by .*, by polling/);
    await say(page, "by polling");
    await shows(page, ["by stream", "by polling"]);
    await watchBanners(page);
    proxy.webSockets = "pass";
    await served(page, /served by [^,]*$/);
    await other.room("blocked").send("by WebSocket");
    await shows(page, ["by stream", "by polling", "by WebSocket"]);
    assert.equal(await banners(page), 0);
    await page.context().close();
  });

  test(`the network is off for ${awayMs / 1000} s: what was written meanwhile is shown as on its way, survives a lost tab, and is sent once`, async (t) => {
    const proxy = await startProxy(t, stack.httpUrl(1));
    const page = await openPage(browser, `${proxy.url}/#/room/off`);
    await enterAs(page, "Ada");
    await say(page, "before");
    await shows(page, ["before"]);
    proxy.network = "gone";
    await page.context().setOffline(true);
    await say(page, "while off 1");
    await say(page, "while off 2");
    await page.locator(".pending").nth(1).waitFor();
    await page.locator(".banner").waitFor();
    await other.room("off").send("from Grace");
    await sleep(awayMs);
    assert.equal(await page.locator(".pending").count(), 2);
    proxy.network = "up";
    await page.context().setOffline(false);
    const all = ["before", "from Grace", "while off 1", "while off 2"];
    await shows(page, all);
    await page.locator(".banner").waitFor({ state: "detached" });
    // And one that is written where the page dies before it could go.
    proxy.network = "gone";
    await page.evaluate(`
      new MutationObserver(() => { if (document.querySelector(".pending")) location.replace("about:blank"); })
        .observe(document.body, { childList: true, subtree: true });
    `);
    await say(page, "left behind");
    await page.waitForURL("about:blank");
    proxy.network = "up";
    await page.goto(`${proxy.url}/#/room/off`);
    await shows(page, [...all, "left behind"]);
    assert.equal(await page.locator(".pending, .failed").count(), 0);
    await page.context().close();
  });

  test(`a tab is frozen for ${hiddenMs / 1000} s: it is still connected, and shows at once what came meanwhile`, async (t) => {
    const proxy = await startProxy(t, stack.httpUrl(1));
    const page = await openPage(browser, `${proxy.url}/#/room/hidden`);
    await enterAs(page, "Ada");
    await say(page, "seen");
    await shows(page, ["seen"]);
    await watchBanners(page);
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
    await other.room("hidden").send("meanwhile");
    await sleep(hiddenMs);
    await devtools.send("Page.setWebLifecycleState", { state: "active" });
    await shows(page, ["seen", "meanwhile"]);
    assert.equal(await banners(page), 0);
    await page.context().close();
  });

  test("[R3] the gateway is killed while one types: the text stays, is sent once, and a small banner was all", async (t) => {
    const proxy = await startProxy(t, stack.httpUrl(1));
    const page = await openPage(browser, `${proxy.url}/#/room/typed`);
    await enterAs(page, "Ada");
    await other.room("typed").join();
    const field = page.getByLabel(/^Message to/);
    await field.pressSequentially("half a sen");
    stack.kill9("gateway", 1);
    await field.pressSequentially("tence");
    await page.keyboard.press("Enter");
    await shows(page, ["half a sentence"]);
    await waitFor("Grace to have it", () => other.room("typed").snapshot().messages.length === 1);
    assert.equal(await page.locator(".pending, .failed, [role=alert]").count(), 0);
    await page.context().close();
  });

  test("four tabs share one connection; when the one that has it is closed, another takes over", async (t) => {
    const proxy = await startProxy(t, stack.httpUrl(1));
    const first = await openPage(browser, `${proxy.url}/#/room/tabs`);
    const sockets = { open: 0, made: 0 };
    const count = (page: Page) =>
      page.on("websocket", (socket) => {
        sockets.made++;
        sockets.open++;
        socket.on("close", () => sockets.open--);
      });
    await enterAs(first, "Ada");
    const rest: Page[] = [];
    for (let i = 0; i < 3; i++) {
      const page = await first.context().newPage();
      count(page);
      await page.goto(`${proxy.url}/#/room/tabs`);
      await served(page, /served by/);
      rest.push(page);
    }
    assert.equal(sockets.made, 0, "the first tab's connection serves all four");
    // One after another: of what several tabs say at once, any may be stored first.
    const all = ["from the second tab", "from the first", "from Grace"];
    await say(rest[0]!, all[0]!);
    await shows(first, all.slice(0, 1));
    await say(first, all[1]!);
    await shows(first, all.slice(0, 2));
    await other.room("tabs").send(all[2]!);
    for (const page of [first, ...rest]) await shows(page, all);
    await first.close();
    await waitFor("another to take over", () => sockets.open === 1, { timeoutMs: 20_000 });
    await other.room("tabs").send("after");
    await say(rest[2]!, "from the fourth");
    for (const page of rest) await waitFor("both", async () => (await messagesOn(page)).length === 5);
    assert.deepEqual([...(await messagesOn(rest[0]!))].sort(), [...all, "after", "from the fourth"].sort());
    assert.deepEqual(sockets, { open: 1, made: 1 });
    // A closed tab that only listened leaves nothing behind, and what one tab reads the others have read.
    await rest[1]!.close();
    await say(rest[0]!, "still here");
    await waitFor("it", async () => (await messagesOn(rest[2]!)).at(-1) === "still here");
    await first
      .context()
      .close()
      .catch(() => {});
    await rest[0]!.context().close();
  });
});
