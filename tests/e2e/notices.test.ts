import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { makeToken } from "@parley/local";
import type { Browser, Page } from "playwright-core";
import { startTestStack, type TestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { enterAs, openBrowser, openPage, say } from "./open-browser.ts";

describe("notifications, SMS and the help centre in the page", () => {
  let stack: TestStack;
  let browser: Browser;
  let ada: Page;
  let agent: Page;
  const complaints: string[] = [];

  // An `after` called in `before` would run as soon as that is done.
  const steps: (() => Promise<void> | void)[] = [];
  const teardown = { after: (step: () => Promise<void> | void) => void steps.unshift(step) };
  after(async () => {
    for (const step of steps) await step();
  });

  before(async () => {
    stack = await startTestStack(teardown, {
      ...{ gateways: 2, chat: 1, presence: 1, notify: 1, sms: 1 },
      env: { NOTIFY_SEEN_MS: "300", NOTIFY_UNSEEN_MS: "300", NOTIFY_SWEEP_EVERY_MS: "500" },
    });
    browser = await openBrowser(teardown);
    const token = await makeToken(["--user", "ann", "--name", "Ann", "--roles", "agent"], stack.tokenSecret);
    ada = await openPage(browser, `${stack.httpUrl(1)}/#/room/board-1`);
    agent = await openPage(browser, `${stack.httpUrl(2)}/#/token/${token}`);
    for (const page of [ada, agent]) page.on("pageerror", (error) => complaints.push(String(error)));
    await enterAs(ada, "Ada");
    await agent.getByText("served by").waitFor({ state: "attached" });
  });

  test("a token in the address is who one is, and leaves the address", async () => {
    await agent.getByText("Ann", { exact: true }).waitFor();
    assert.ok(!agent.url().includes("token"));
  });

  test("a mention rings the bell; opening it reads it, on the page at once", async () => {
    await ada.goto(`${stack.httpUrl(1)}/#/`);
    await agent.goto(`${stack.httpUrl(2)}/#/room/board-1`);
    await say(agent, "@Ada look at this");
    await ada.getByRole("button", { name: "Notifications, 1 unread" }).click();
    await ada.getByRole("button", { name: /Ann mentioned you/ }).click();
    await ada.getByText("@Ada look at this").first().waitFor();
    assert.match(ada.url(), /#\/room\/board-1$/);
    await ada.getByRole("button", { name: "Notifications", exact: true }).waitFor();
  });

  test("who wants SMS gets one on the phone in the page", async () => {
    await ada.goto(`${stack.httpUrl(1)}/#/`);
    await ada.getByRole("button", { name: "Notifications", exact: true }).click();
    await ada.getByRole("button", { name: "How I want to be told" }).click();
    await ada.getByLabel("Somebody mentions me").selectOption("sms");
    await ada.getByLabel("My phone").fill("12");
    await ada.getByRole("button", { name: "Save" }).click();
    await ada
      .getByRole("alert")
      .getByText(/E\.164/)
      .waitFor();
    await ada.getByLabel("My phone").fill("+12025550188");
    await ada.getByRole("button", { name: "Save" }).click();
    await ada.getByLabel("My phone").waitFor({ state: "detached" });
    await say(agent, "@Ada are you there?");
    const phone = ada.getByRole("complementary", { name: "Phone +12025550188" });
    await phone.getByText("Ann mentioned you: @Ada are you there?").waitFor();
    await phone.getByRole("button", { name: "Put the phone away" }).click();
    await phone.waitFor({ state: "detached" });
  });

  test("somebody asks for help, an agent claims and answers, the asker closes and rates", async () => {
    await agent.goto(`${stack.httpUrl(2)}/#/help`);
    await agent.getByText("You are an agent").waitFor();
    await ada.getByRole("link", { name: "Help centre" }).click();
    await ada.getByLabel("What is it about?").fill("My card");
    await ada.getByLabel("What happened?").fill("It is gone");
    await ada.getByRole("button", { name: "Ask for help" }).click();
    await ada.getByText("It is gone").first().waitFor();
    await agent.getByRole("listitem").filter({ hasText: "My card" }).getByRole("button", { name: "Claim" }).click();
    await agent.getByText("It is gone").first().waitFor();
    await say(agent, "A new one is on its way");
    await ada.getByText("A new one is on its way").first().waitFor();
    await ada.getByRole("link", { name: "Help centre" }).click();
    await ada.getByRole("tab", { name: "Being answered" }).click();
    await ada.getByRole("button", { name: "Close", exact: true }).click();
    await ada.getByRole("tab", { name: "Closed" }).click();
    await ada.getByRole("button", { name: "4 of 5" }).click();
    await ada.getByText("★★★★", { exact: false }).first().waitFor();
    assert.deepEqual(complaints, []);
  });

  test("an answer that comes after another tab was opened does not bring the first one's tickets back", async () => {
    const page = await openPage(browser, "about:blank");
    const held: (() => void)[] = [];
    const asked: string[] = [];
    await page.routeWebSocket(/./, (socket) => {
      const server = socket.connectToServer();
      let closing = "";
      socket.onMessage((frame) => {
        const { requestId, event, requestData } = JSON.parse(String(frame));
        if (event === "CloseTicket") closing = requestId;
        if (event === "Tickets") asked.push(requestData.status);
        server.send(frame);
      });
      server.onMessage((frame) => {
        const pass = () => socket.send(frame);
        if (closing !== "" && JSON.parse(String(frame)).requestId === closing) held.push(pass);
        else pass();
      });
    });
    await page.goto(`${stack.httpUrl(1)}/#/help`);
    await enterAs(page, "Cleo");
    await page.getByLabel("What is it about?").fill("My account");
    await page.getByLabel("What happened?").fill("It is shut");
    await page.getByRole("button", { name: "Ask for help" }).click();
    await page.getByText("It is shut").first().waitFor();
    await page.getByRole("link", { name: "Help centre" }).click();
    await page.getByRole("button", { name: "Close", exact: true }).click();
    await waitFor("the held answer", () => held.length === 1);
    await page.getByRole("tab", { name: "Closed" }).click();
    await page.getByRole("button", { name: "4 of 5" }).waitFor();
    asked.length = 0;
    held[0]?.();
    await waitFor("the tickets asked for again", () => asked.length > 0);
    assert.deepEqual(new Set(asked), new Set(["closed"]));
    await page.getByRole("button", { name: "4 of 5" }).click();
    await page.getByText("★★★★", { exact: false }).first().waitFor();
  });
});
