import assert from "node:assert/strict";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { startTestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { enterAs, openBrowser, openPage } from "./open-browser.ts";

const timeOn = (page: Page) => page.getByRole("timer").textContent();
const openTimer = (page: Page) => page.getByRole("button", { name: /^Timer/ }).click();
const press = (page: Page, name: string) =>
  page.getByRole("region", { name: "Timer" }).getByRole("button", { name, exact: true }).click();

test("[T1] the timer in the page, one person on each gateway", { timeout: 120_000 }, async (t) => {
  const stack = await startTestStack(t, { timers: 1 });
  const browser = await openBrowser(t);
  const ada = await openPage(browser, `${stack.httpUrl(1)}/#/room/focus`);
  const grace = await openPage(browser, `${stack.httpUrl(2)}/#/room/focus`, { viewport: { width: 390, height: 844 } });
  for (const [page, name] of [
    [ada, "Ada"],
    [grace, "Grace"],
  ] as const) {
    await enterAs(page, name);
    await openTimer(page);
  }
  /** What both show, read at one moment as far as two browsers can be; a second may pass between the readings. */
  const bothShow = (what: string, accept: (time: string) => boolean) =>
    waitFor(`${what} in both tabs`, async () => {
      const [first, second] = await Promise.all([timeOn(ada), timeOn(grace)]);
      return first === second && first !== null && accept(first) && first;
    });

  assert.equal(await timeOn(ada), "00:25:00");
  const startedAtMs = Date.now();
  await press(ada, "Start");
  let last = "00:25:00";
  /** Both have gone on counting, and no faster than time goes by. */
  const bothCountOn = async () => {
    const before = last;
    last = await bothShow(`less than ${before}`, (time) => time < before);
    const wentByMs = Date.now() - startedAtMs;
    assert.match(last, /^00:24:\d\d$/);
    assert.ok(60 - Number(last.slice(-2)) <= wentByMs / 1_000 + 1, `${last}, ${wentByMs} ms after its start`);
  };
  for (let i = 0; i < 3; i++) await bothCountOn();
  await grace.reload();
  await openTimer(grace);
  await bothCountOn();

  await press(grace, "Start");
  await grace.getByRole("alert").getByText("Timer already started").waitFor();
  assert.equal(await ada.getByRole("alert").count(), 0);
  await press(ada, "Stop");
  await press(ada, "Stop");
  await ada.getByRole("alert").getByText("Timer already stopped").waitFor();
  const stoppedAt = await bothShow("where it stopped", () => true);
  assert.match(stoppedAt, /^00:24:\d\d$/);

  await ada.getByLabel("Length").fill("25:99");
  await press(ada, "Set");
  await ada.getByRole("alert").getByText('duration must be "HH:mm:ss"').waitFor();
  await ada.getByLabel("Length").fill("00:00:02");
  await press(ada, "Set");
  await bothShow("the new length", (time) => time === "00:00:02");
  await grace.getByLabel("Cycle of focus and breaks").click();
  await ada.getByText("Focus · 1 of 4").waitFor();
  await press(grace, "Start");
  await Promise.all([ada, grace].map((page) => page.getByText("Focus is over").waitFor()));
  await ada.getByText("Short break · 1 of 4").waitFor();
  await bothShow("the break", (time) => /^00:0[45]:\d\d$/.test(time));
  await press(ada, "Reset");
  await bothShow("the beginning", (time) => time === "00:00:02");
});

test("the page is light or dark as one chooses, and stays so", { timeout: 60_000 }, async (t) => {
  const stack = await startTestStack(t, { gateways: 1, chat: 1 });
  const page = await openPage(await openBrowser(t), stack.httpUrl(), { colorScheme: "light" });
  await enterAs(page, "Ada");
  const colour = () => page.evaluate("getComputedStyle(document.body).backgroundColor") as Promise<string>;
  const light = await colour();
  await page.getByRole("button", { name: "Use the dark theme" }).click();
  const dark = await colour();
  assert.notEqual(dark, light);
  await page.reload();
  await page.getByRole("button", { name: "Use the light theme" }).waitFor();
  assert.equal(await colour(), dark);
  await page.getByRole("button", { name: "Use the light theme" }).click();
  assert.equal(await colour(), light);
});
