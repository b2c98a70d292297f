import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "@parley/client";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { ParleyProvider, useConnection, useEmit, useEvent, useRoom, useRooms, useTyping } from "../src/index.ts";

function Everything() {
  const { state } = useConnection();
  const [room, { messages, state: place }] = useRoom("lobby");
  const [typists] = useTyping("lobby");
  const rooms = useRooms();
  useEvent("score", () => assert.fail("a server hears nothing"));
  useEmit();
  return createElement("p", null, [state, room.name, place, messages.length, typists.length, rooms.length].join(" "));
}

test("on a server the hooks render what a page begins with, and nothing connects", () => {
  class Unwanted {
    constructor() {
      assert.fail("a server has no business connecting");
    }
  }
  const client = connect({
    url: "ws://127.0.0.1:1/ws",
    open: false,
    WebSocket: Unwanted as unknown as typeof WebSocket,
  });
  const html = renderToString(createElement(ParleyProvider, { client }, createElement(Everything)));
  assert.equal(html, "<p>connecting lobby out 0 0 0</p>");
});

test("a hook without a provider says what is missing", () => {
  assert.throws(() => renderToString(createElement(Everything)), /there is no ParleyProvider above/);
});
