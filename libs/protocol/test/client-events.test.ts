import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { clientEventNames } from "../src/client-events.ts";
import { decodeClientEvent, decodeClientValue } from "../src/decode-client-event.ts";
import { errors } from "../src/errors.ts";
import { utf8Bytes } from "../src/names.ts";

const codeOf = (json: string) => {
  const decoded = decodeClientEvent(json);
  return decoded.ok ? "ok" : decoded.code;
};
const nested = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;

test("[S2] whatever the frame, there is one answer: an event or a documented refusal", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), fc.string({ unit: "binary" })), (frame) => {
      const decoded = decodeClientEvent(frame);
      if (!decoded.ok) assert.ok(decoded.code in errors && decoded.error.length > 0);
    }),
  );
});

test("[S2] any fields of any event are taken or refused, never thrown at", () => {
  const anything = fc.anything({ withBigInt: true, withDate: true, withMap: true, withTypedArray: true });
  const fields = fc.dictionary(
    fc.constantFrom(
      "room",
      "text",
      "seq",
      "since",
      "epoch",
      "rooms",
      "info",
      "target",
      "emoji",
      "token",
      "guest",
      "data",
    ),
    fc.oneof(anything, fc.string(), fc.integer(), fc.boolean()),
  );
  fc.assert(
    fc.property(fc.constantFrom(...clientEventNames), fields, anything, (event, requestData, requestId) => {
      const decoded = decodeClientValue({ event, requestData, requestId });
      if (!decoded.ok) assert.ok(decoded.code in errors);
    }),
    { numRuns: 2_000 },
  );
});

test("nesting: 16 levels pass, 17 are refused, before parsing and without counting brackets in strings", () => {
  const frame = (data: string) =>
    `{"event":"SendMessage","requestData":{"room":"r","clientMessageId":"1","data":${data}}}`;
  assert.equal(codeOf(frame(nested(14))), "ok");
  assert.equal(codeOf(frame(nested(15))), "bad_frame");
  assert.equal(codeOf(frame(JSON.stringify("[".repeat(500)))), "ok");
  assert.equal(codeOf(nested(10_000)), "bad_frame");
});

test("keys that change what an object is are refused at any depth, however they are spelt", () => {
  const send = (data: string) =>
    codeOf(`{"event":"SendMessage","requestData":{"room":"r","clientMessageId":"1","data":${data}}}`);
  for (const key of ["__proto__", "constructor", "prototype", "\\u005f_proto__", "construct\\u006fr"])
    assert.equal(send(`{"a":[{"${key}":1}]}`), "bad_frame", key);
  assert.equal(send('{"a":"__proto__"}'), "ok", "as a value it is a word like others");
});

test("names are compared in NFC; control characters and half surrogates are refused", () => {
  const room = (name: string) => decodeClientEvent(JSON.stringify({ event: "JoinRoom", requestData: { room: name } }));
  const decoded = room("Cafe\u0301");
  assert.ok(decoded.ok && decoded.value.event === "JoinRoom" && decoded.value.room === "Caf\u00e9");
  for (const bad of ["", "a\u0000b", "a\r\nb", "\ud800", "x".repeat(129)]) assert.equal(room(bad).ok, false);
  for (const good of ["room.*.>", "$JS.API.x", "🎈", "\u202eabc", "x".repeat(128)]) assert.equal(room(good).ok, true);
});

test("text is measured in bytes of UTF-8", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => utf8Bytes(text) === new TextEncoder().encode(text).length),
  );
  const send = (text: string) =>
    codeOf(JSON.stringify({ event: "SendMessage", requestData: { room: "r", clientMessageId: "1", text } }));
  assert.equal(send("é".repeat(8 * 1024)), "ok");
  assert.equal(send("é".repeat(8 * 1024 + 1)), "too_large");
});
