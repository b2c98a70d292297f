import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type ConnectOptions, connect, type Parley, type Room } from "@parley/client";
import { createElement, type ReactNode } from "react";
import { renderToString } from "react-dom/server";
import {
  ParleyProvider,
  useConnection,
  useEvent,
  useNotifications,
  useRoom,
  useRooms,
  useTyping,
} from "../src/index.ts";
import { renderReact } from "./render.ts";
import { startGateway, type Teardown } from "./start-gateway.ts";
import { waitFor } from "./wait-for.ts";

const text = (content: string) => createElement("p", null, content);

function Count({ name }: { name: string }) {
  const [, { messages, state }] = useRoom(name);
  return text(`${state} ${messages.map((message) => message.text).join(",")};`);
}

const Me = () => text(useConnection().user?.name ?? "nobody");

function Listener({ onText }: { onText(text: string): void }) {
  useRoom("strict");
  useEvent<{ text: string }>("message", (entry) => onText(entry.text), { room: "strict" });
  return null;
}

function Typists({ onRender }: { onRender(): void }) {
  const [typists] = useTyping("typed");
  onRender();
  return text(typists.map(({ name }) => name).join());
}

const Unread = () =>
  text(
    useRooms()
      .map(({ room, unread }) => `${room} ${unread}`)
      .join(),
  );

const Notified = () => {
  const [, { list, unread }] = useNotifications();
  return text(`${unread} ${list.map(({ title, read }) => `${title} ${read}`).join()}`);
};

const InRoom = ({ name }: { name: string }) => text(useRoom(name)[1].state);

describe("the React hooks, in StrictMode", () => {
  let url: string;
  const steps: (() => Promise<void> | void)[] = [];
  before(async () => {
    url = await startGateway({ after: (step) => void steps.unshift(step) });
  });
  after(async () => {
    for (const step of steps) await step();
  });

  function open(t: Teardown, name: string, options: Partial<ConnectOptions> = {}): Parley {
    const client = connect({ url, guest: { name }, ...options });
    t.after(() => client.close());
    return client;
  }

  const within = (client: Parley, ...children: ReactNode[]) =>
    createElement(ParleyProvider, { client }, createElement("div", null, ...children));

  test("useConnection and useRoom follow the client; a room is left only when its last component is gone", async (t) => {
    const client = open(t, "Ada", { open: false });
    const other = open(t, "Grace");
    const count = (key: string) => createElement(Count, { key, name: "count" });
    const page = await renderReact(t, within(client, createElement(Me, { key: "me" }), count("1"), count("2")));
    await waitFor("joined", () => page.text() === "Adalive ;live ;");
    await other.room("count").send("one");
    await waitFor("one", () => page.text() === "Adalive one;live one;");
    page.rerender(within(client, count("1")));
    await other.room("count").send("two");
    await waitFor("two", () => page.text() === "live one,two;");
    assert.equal(client.room("count").snapshot().state, "live");
    page.rerender(within(client));
    await waitFor("leaving", () => client.room("count").snapshot().state === "out");
    assert.deepEqual(page.errors, []);
  });

  test("StrictMode's second mounting neither leaves a room nor hears an event twice", async (t) => {
    const client = open(t, "Ada");
    const other = open(t, "Grace");
    const states: string[] = [];
    const heard: unknown[] = [];
    client.room("strict").on("state", (state) => states.push(state));
    await renderReact(
      t,
      within(client, createElement(Listener, { key: "l", onText: (each) => void heard.push(each) })),
    );
    await waitFor("joined", () => client.room("strict").snapshot().state === "live");
    await other.room("strict").send("once");
    await waitFor("heard", () => heard.length > 0);
    await client.call("Heartbeat");
    assert.deepEqual(heard, ["once"]);
    assert.deepEqual(states, ["joining", "live"]);
  });

  test("useNotifications has the list and what is unread, as it comes", async (t) => {
    const client = open(t, "Ada Notified");
    const other = open(t, "Grace");
    await client.room("notified").join();
    await client.room("notified").leave();
    const page = await renderReact(t, within(client, createElement(Notified, { key: "n" })));
    await other.room("notified").send("@Ada Notified, look");
    // Whoever is in the room has three seconds to read it first.
    await waitFor("told", () => page.text() === "1 Grace mentioned you false");
    assert.deepEqual(page.errors, []);
  });

  test("useTyping renders when typists change, and not with each message", async (t) => {
    const client = open(t, "Ada");
    const other = open(t, "Grace");
    await client.room("typed").join();
    await other.room("typed").join();
    let renderings = 0;
    const onRender = () => void renderings++;
    const page = await renderReact(t, within(client, createElement(Typists, { key: "t", onRender })));
    await waitFor("rendered", () => renderings > 0);
    const before = renderings;
    await client.room("typed").send("mine");
    await waitFor("shown", () => client.room("typed").snapshot().messages.length === 1);
    assert.equal(renderings, before);
    other.room("typed").typing(true);
    await waitFor("typing", () => page.text() === "Grace");
    other.room("typed").typing(false);
    await waitFor("done", () => page.text() === "");
  });

  test("useRooms counts what is unread; a page takes over what a server rendered without a complaint", async (t) => {
    const client = open(t, "Ada");
    const other = open(t, "Grace");
    await client.room("apart").join();
    await client.room("apart").leave();
    const node = within(client, createElement(Unread, { key: "u" }));
    const html = renderToString(node);
    assert.equal(html, "<div><p></p></div>");
    await waitFor("the list", () => client.rooms.get("apart"));
    const page = await renderReact(t, node, { html });
    await other.room("apart").send("news");
    await waitFor("unread", () => page.text() === "apart 1");
    assert.deepEqual(page.errors, []);
  });

  test("another room's name joins that room and leaves the first", async (t) => {
    const client = open(t, "Ada");
    const rooms: Room[] = ["first", "second"].map((name) => client.room(name));
    const at = (name: string) => within(client, createElement(InRoom, { key: "r", name }));
    const page = await renderReact(t, at("first"));
    await waitFor("joined", () => page.text() === "live");
    page.rerender(at("second"));
    await waitFor("moved", () => rooms.map((room) => room.snapshot().state).join() === "out,live");
  });
});
