import assert from "node:assert/strict";
import { test } from "node:test";
import type { NotificationsData, Parley } from "@parley/client";
import { createElement } from "react";
import { type Notifications, ParleyProvider, useNotifications } from "../src/index.ts";
import { renderReact } from "./render.ts";
import { waitFor } from "./wait-for.ts";

const view = (id: string) => ({ id, title: id, read: false });

/** As much of a client as the hook uses, which brings what it is told and asked for in just the order of the test. */
function scriptedClient(answer: (next: string | undefined, tell: (data: object) => void) => object) {
  const heard = new Set<(event: { event: string; data: object }) => void>();
  const tell = (data: object) => {
    for (const listener of heard) listener({ event: "notification", data });
  };
  return {
    state: "online",
    open: () => {},
    on: (name: string, listener: (event: { event: string; data: object }) => void) => {
      if (name === "event") heard.add(listener);
    },
    call: async (_: string, asked?: { next: string }) => answer(asked?.next, tell) as NotificationsData,
  } as unknown as Parley;
}

function Titles({ seen }: { seen: Notifications[] }) {
  const [notifications, { list, unread }] = useNotifications();
  seen[0] = notifications;
  return createElement("p", null, `${unread} ${list.map(({ title }) => title).join()}`);
}

test("a notification that comes before an answer asked for earlier is not lost with it", async (t) => {
  let asked = 0;
  const client = scriptedClient((_, tell) => {
    if (++asked > 1) return { notifications: [view("new"), view("old")], unread: 2, next: null };
    tell({ notification: view("new"), unread: 2 });
    return { notifications: [view("old")], unread: 1, next: null };
  });
  const page = await renderReact(
    t,
    createElement(ParleyProvider, { client }, createElement(Titles, { key: "t", seen: [] })),
  );
  await waitFor("both", () => page.text() === "2 new,old");
  assert.equal(asked, 2);
});

test("a notification that comes while older ones are asked for stays; two who ask for them get them once", async (t) => {
  const client = scriptedClient((next, tell) => {
    if (!next) return { notifications: [view("middle")], unread: 1, next: "older" };
    tell({ notification: view("new"), unread: 3 });
    return { notifications: [view("old")], unread: 2, next: null };
  });
  const seen: Notifications[] = [];
  const page = await renderReact(
    t,
    createElement(ParleyProvider, { client }, createElement(Titles, { key: "t", seen })),
  );
  await waitFor("the first page", () => page.text() === "1 middle");
  await Promise.all([seen[0]?.loadMore(), seen[0]?.loadMore()]);
  await waitFor("all", () => page.text() === "3 new,middle,old");
});
