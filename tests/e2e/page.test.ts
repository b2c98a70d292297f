import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { connect } from "@parley/client";
import type { Browser, Page } from "playwright-core";
import { startTestStack, type TestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { enterAs, messagesOn, openBrowser, openPage, say, shows } from "./open-browser.ts";

describe("the page, one person on each gateway", () => {
  let stack: TestStack;
  let browser: Browser;
  let ada: Page;
  let grace: Page;
  const complaints: string[] = [];

  // An `after` called in `before` would run as soon as that is done.
  const steps: (() => Promise<void> | void)[] = [];
  const teardown = { after: (step: () => Promise<void> | void) => void steps.unshift(step) };
  after(async () => {
    for (const step of steps) await step();
  });

  before(async () => {
    stack = await startTestStack(teardown);
    browser = await openBrowser(teardown);
    ada = await openPage(browser, `${stack.httpUrl(1)}/#/room/board-1`);
    grace = await openPage(browser, `${stack.httpUrl(2)}/#/room/board-1`, { viewport: { width: 390, height: 844 } });
    for (const page of [ada, grace]) {
      page.on("pageerror", (error) => complaints.push(String(error)));
      page.on("console", (message) => {
        // That a killed gateway refuses connections is no fault of the page.
        if (message.type() === "error" && !/WebSocket|ERR_CONNECTION_REFUSED/.test(message.text()))
          complaints.push(message.text());
      });
    }
    await enterAs(ada, "Ada");
    await enterAs(grace, "Grace");
  });

  test("messages go both ways, with their sender's name", async () => {
    await say(ada, "hello from gateway 1");
    await shows(grace, ["hello from gateway 1"]);
    await say(grace, "hello from gateway 2");
    await shows(ada, ["hello from gateway 1", "hello from gateway 2"]);
    assert.deepEqual(await grace.locator(".row-sender").allTextContents(), ["Ada"]);
    const nodes = await Promise.all([ada, grace].map((page) => page.getByText("served by").first().textContent()));
    assert.notEqual(nodes[0], nodes[1]);
  });

  test("typing is seen, and ends with the message", async () => {
    await ada.getByLabel(/^Message to/).pressSequentially("hm");
    await grace.getByText("Ada is typing…").waitFor();
    await ada.keyboard.press("Enter");
    await grace.getByText("Ada is typing…").waitFor({ state: "hidden" });
    await shows(grace, ["hello from gateway 1", "hello from gateway 2", "hm"]);
  });

  test("edit, react, reply and delete are seen by the other", async () => {
    const mine = ada.locator("article.own").last();
    await mine.hover();
    await mine.getByRole("button", { name: "Edit" }).click();
    await say(ada, "hm?");
    await shows(grace, ["hello from gateway 1", "hello from gateway 2", "hm?"]);
    const theirs = grace.locator("article").last();
    await theirs.hover();
    await theirs.getByRole("button", { name: "React 👍" }).click();
    await ada.getByRole("button", { name: "👍 by Grace" }).waitFor();
    await theirs.hover();
    await theirs.getByRole("button", { name: "Reply" }).click();
    await say(grace, "yes");
    await ada.locator("article").last().getByRole("button", { name: "Ada hm?" }).waitFor();
    await mine.hover();
    await mine.getByRole("button", { name: "Delete" }).click();
    await grace.getByText("Message deleted").first().waitFor();
    await shows(grace, ["hello from gateway 1", "hello from gateway 2", "yes"]);
  });

  test("a reload keeps the history and who one is", async () => {
    await ada.reload();
    await ada.getByText("served by").waitFor({ state: "attached" });
    await shows(ada, ["hello from gateway 1", "hello from gateway 2", "yes"]);
    assert.deepEqual(await ada.locator("article.own .text").allTextContents(), ["hello from gateway 1"]);
  });

  test("[R7] unread messages are counted in the list, stand under a line, and are read by being seen", async () => {
    await grace.locator(".room-item").waitFor({ state: "attached" });
    await waitFor("all to be read", async () => (await grace.title()) === "board-1 · Parley");
    await grace.goto(`${stack.httpUrl(2)}/#/`);
    await say(ada, "one");
    await say(ada, "two");
    await grace.locator(".badge", { hasText: "2" }).waitFor();
    await waitFor("the title", async () => (await grace.title()) === "(2) Parley");
    await grace.getByRole("link", { name: /board-1/ }).click();
    await grace.locator(".divider").waitFor();
    await waitFor("the title", async () => (await grace.title()) === "board-1 · Parley");
    await grace.getByRole("link", { name: "All rooms" }).click();
    await grace.locator(".badge").waitFor({ state: "detached" });
  });

  test("[R3] [R6] a gateway is killed: a banner, and what was written meanwhile arrives once", async () => {
    await grace.goto(`${stack.httpUrl(2)}/#/room/board-1`);
    const before = ["hello from gateway 1", "hello from gateway 2", "yes", "one", "two"];
    await shows(grace, before);
    stack.pause("gateway", 1);
    await say(ada, "written while away");
    stack.kill9("gateway", 1);
    await ada.getByText("Reconnecting… your messages will be sent").waitFor();
    await say(ada, "and this too");
    await shows(grace, [...before, "written while away", "and this too"]);
    await shows(ada, [...before, "written while away", "and this too"]);
    await ada.locator(".banner").waitFor({ state: "detached" });
    assert.equal(await ada.locator(".pending, .failed").count(), 0);
  });

  test("older messages come while scrolling up, and what is in view does not jump", async () => {
    const writer = connect({ url: `${stack.wsUrl(1)}/ws`, guest: { name: "Writer" } });
    await Promise.all(Array.from({ length: 130 }, (_, i) => writer.room("long").send(`line ${i + 1}`)));
    await writer.close();
    const reader = await openPage(browser, `${stack.httpUrl(2)}/#/room/long`);
    await enterAs(reader, "Reader");
    await waitFor("the newest", async () => (await messagesOn(reader)).at(-1) === "line 130");
    const list = reader.locator(".list");
    const atEnd = () => list.evaluate((e) => e.scrollHeight - e.scrollTop - e.clientHeight < 2);
    await waitFor("the end in view", atEnd);
    assert.ok((await messagesOn(reader)).length < 130, "the oldest are not loaded yet");
    const count = (await messagesOn(reader)).length;
    // The first message that is wholly in view, and where: it must stay there while a page is put before it. In one step
    // of the page: a list that still held to its end is scrolled again, but never once older ones are there.
    const scrollNear = () =>
      list.evaluate((element, count) => {
        const place = () => {
          const top = element.getBoundingClientRect().top;
          const rows = [...element.querySelectorAll("article")];
          const row = rows.find((each) => each.getBoundingClientRect().top >= top)!;
          return { text: row.querySelector(".text")!.textContent, offset: row.getBoundingClientRect().top - top };
        };
        const hasOlder = element.querySelectorAll("article").length > count;
        if (!hasOlder) element.scrollTop = 500;
        return { hasOlder, ...place() };
      }, count);
    let expected = await scrollNear();
    const { text, offset } = await waitFor("older ones", async () => {
      const seen = await scrollNear();
      if (seen.hasOlder) return seen;
      expected = seen;
      return false;
    });
    assert.equal(text, expected.text);
    assert.ok(Math.abs(offset - expected.offset) <= 1, `${text} moved from ${expected.offset} to ${offset}`);
    await waitFor("the first", async () => {
      await list.evaluate((element) => {
        element.scrollTop = 0;
      });
      return (await messagesOn(reader))[0] === "line 1";
    });
    assert.deepEqual(
      await messagesOn(reader),
      Array.from({ length: 130 }, (_, i) => `line ${i + 1}`),
    );
    await reader.getByText("This is where long begins.").waitFor();
  });

  test("the page had nothing to complain of, and loads nothing from elsewhere", async () => {
    assert.deepEqual(complaints, []);
    const html = await (await fetch(stack.httpUrl(1))).text();
    assert.doesNotMatch(html, /https?:\/\/|<style|style=|onload=/);
    assert.doesNotMatch(html.replace(/<script[^>]*src="[^"]+"[^>]*><\/script>/g, ""), /<script/);
  });
});
