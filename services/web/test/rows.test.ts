import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message } from "@parley/client";
import { formatDay } from "../src/format-time.ts";
import { initials } from "../src/hue.ts";
import { roomInHash, roomLink } from "../src/route.ts";
import { toRows } from "../src/rows.ts";

const message = (seq: number, id: string, at: string): Message => ({
  ...{ seq, kind: "message", sender: { id, name: id }, text: `${seq}`, data: null, replyTo: null, at },
  ...{ clientMessageId: null, editedAt: null, deleted: false, reactions: [] },
});

test("messages stand together by sender, day and time, with a line before the first unread one of another", () => {
  const rows = toRows(
    [
      message(1, "ada", "2026-11-20T12:00:00"),
      message(2, "ada", "2026-11-20T12:01:00"),
      message(3, "ada", "2026-11-20T12:30:00"),
      message(4, "me", "2026-11-20T12:30:10"),
      message(6, "ada", "2026-11-21T08:00:00"),
      message(7, "ada", "2026-11-21T08:00:30"),
    ],
    3,
    "me",
  );
  const drawn = rows.map((row) =>
    row.kind === "message" ? `${row.opens ? "[" : ""}${row.message.seq}${row.closes ? "]" : ""}` : row.kind,
  );
  assert.deepEqual(drawn, ["day", "[1", "2]", "[3]", "[4]", "day", "divider", "[6", "7]"]);
});

test("no line where nothing is unread, or nothing is known", () => {
  const messages = [message(1, "ada", "2026-11-20T12:00:00"), message(2, "me", "2026-11-20T12:00:00")];
  for (const readUpTo of [null, 1, 2])
    assert.ok(toRows(messages, readUpTo, "me").every(({ kind }) => kind !== "divider"));
});

test("days are named as people name them", () => {
  const now = new Date("2026-11-21T00:10:00");
  assert.equal(formatDay("2026-11-21T00:01:00", now), "Today");
  assert.equal(formatDay("2026-11-20T23:59:00", now), "Yesterday");
  assert.match(formatDay("2026-11-17T12:00:00", now), /^\p{L}+$/u);
  assert.match(formatDay("2026-11-01T12:00:00", now), /2026/);
});

test("a room's link leads back to it, whatever its name; a broken one leads nowhere", () => {
  for (const name of ["board-1", "design review", "a/b?c#d%", "ünïcode 🎉", ">*."])
    assert.equal(roomInHash(roomLink(name)), name);
  for (const hash of ["", "#/", "#/room/", "#/room/%20", "#/room/%zz"]) assert.equal(roomInHash(hash), null);
});

test("initials", () => {
  assert.deepEqual(["Ada Lovelace", "board-1", "ada", "🎉 party", ""].map(initials), ["AL", "B1", "A", "🎉P", ""]);
});
