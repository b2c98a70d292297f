import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeClientEvent } from "@parley/protocol";
import fc from "fast-check";
import { createReplyReader } from "../src/reply.ts";
import { createSendFrame, findKey, firstRequestId, readNumber, readStamp, stampBytes } from "../src/send-frame.ts";

const noStamp = () => ({ atMicros: 0, publisher: 0, count: 0 });

function payloadOf(frame: Buffer): Buffer {
  const start = (frame[1]! & 0x7f) < 126 ? 6 : 8;
  const key = frame.subarray(start - 4, start);
  return Buffer.from(frame.subarray(start).map((byte, i) => byte ^ key[i & 3]!));
}

test("a send frame is a SendMessage as the protocol has it, and its stamp reads back", () => {
  const cases = fc.record({
    room: fc.string({ minLength: 1, maxLength: 30, unit: "grapheme" }),
    publisher: fc.nat(9999),
    textBytes: fc.integer({ min: stampBytes, max: 400 }),
    count: fc.nat(99_999_999),
    atMicros: fc.nat(999_999_999_999),
  });
  fc.assert(
    fc.property(cases, ({ room, publisher, textBytes, count, atMicros }) => {
      const frames = createSendFrame(room, publisher, textBytes);
      frames.make(firstRequestId, 1, 2);
      const payload = payloadOf(frames.make(firstRequestId + count, count, atMicros));
      const { requestId, requestData } = JSON.parse(payload.toString());
      assert.equal(requestId, firstRequestId + count);
      assert.equal(requestData.room, room);
      assert.equal(Buffer.byteLength(requestData.text), textBytes);
      const stamp = noStamp();
      const padded = Buffer.concat([Buffer.from("~~~"), payload, Buffer.from("~")]);
      assert.notEqual(readStamp(padded, 3, padded.length - 1, 0, stamp), -1);
      // A room's own tildes can look like a stamp; the scenarios' rooms have none.
      if (!room.includes("~")) assert.deepEqual(stamp, { publisher, count, atMicros });
    }),
  );
  const decoded = decodeClientEvent(payloadOf(createSendFrame("r", 1, 100).make(firstRequestId, 7, 8)).toString());
  assert.ok(decoded.ok && decoded.value.event === "SendMessage");
});

test("a stamp is found again by its hint, and where the hint is wrong", () => {
  const text = `{"seq":9,"data":"~${"123456789012"}${"0042"}${"00000077"}~"}`;
  const bytes = Buffer.from(`garbage${text}`);
  for (const hint of [0, 17, 5000]) {
    const stamp = noStamp();
    assert.equal(readStamp(bytes, 7, bytes.length, hint, stamp), 17);
    assert.deepEqual(stamp, { atMicros: 123456789012, publisher: 42, count: 77 });
  }
  assert.equal(readStamp(bytes, 7, bytes.length - 3, 0, noStamp()), -1);
});

test("a key is found by its hint, elsewhere, or not, and never beyond its frame", () => {
  const key = Buffer.from('"seq":');
  const bytes = Buffer.from(`xx{"room":"r","seq":4217,"data":1}"seq":8`);
  const end = bytes.indexOf("}") + 1;
  for (const hint of [0, 12, 900]) {
    const at = findKey(bytes, 2, end, hint, key);
    assert.equal(readNumber(bytes, 2 + at), 4217);
  }
  assert.equal(findKey(bytes, end - 4, end, 0, key), -1);
});

test("replies are told apart: yes, no with its code, and frames that are no replies", () => {
  const replies = createReplyReader();
  const read = (frame: object): number => {
    const bytes = Buffer.from(JSON.stringify(frame));
    return replies.read(bytes, 0, bytes.length);
  };
  const reply = {
    eventType: "Reply",
    event: "SendMessage",
    requestId: 1000000007,
    success: true,
    data: {},
    error: null,
  };
  assert.equal(read(reply), 1000000007);
  assert.equal(read({ eventType: "ServerEvent", event: "message", requestId: 3, success: true }), -1);
  assert.equal(replies.takeRefusedId(), -1);
  assert.equal(read({ ...reply, requestId: 12, success: false, code: "rate_limited" }), -1);
  assert.equal(replies.takeRefusedId(), 12);
  assert.equal(replies.takeRefusedId(), -1);
  assert.deepEqual(replies.refused, { rate_limited: 1 });
});
