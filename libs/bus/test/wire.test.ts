import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { ByteReader, ByteWriter } from "../src/bytes.ts";
import {
  type ChatAnswer,
  type ChatRequest,
  decodeChatAnswer,
  decodeChatRequest,
  encodeChatAnswer,
  encodeChatRequest,
} from "../src/chat-wire.ts";
import {
  readRecords,
  recordKinds,
  splitPassingExcept,
  writeEntryRecord,
  writePassingExcept,
  writeRecord,
} from "../src/fan-out.ts";

const text = fc.string({ unit: "grapheme", maxLength: 200 });

test("what is written is read again, also when buffers are taken in between", () => {
  const writer = new ByteWriter(16);
  fc.assert(
    fc.property(
      fc.array(fc.oneof(text, fc.double({ noNaN: true }), fc.constant(null)), { maxLength: 20 }),
      (values) => {
        for (const value of values) typeof value === "number" ? writer.f64(value) : writer.nullable(value);
        const taken = writer.take();
        // The next taker's bytes must not reach into these.
        for (let i = 0; i < 100; i++) writer.u8(255);
        writer.take();
        const reader = new ByteReader(taken);
        for (const value of values) assert.equal(typeof value === "number" ? reader.f64() : reader.nullable(), value);
        assert.equal(reader.left, 0);
      },
    ),
  );
});

test("a chat request and its answer cross the bus unchanged", () => {
  const fields = {
    kind: fc.constant("send" as const),
    room: text,
    userId: text,
    rights: text,
    senderJson: text,
    clientMessageId: text,
    text: fc.option(text),
    dataJson: text,
    replyTo: fc.option(fc.integer({ min: 1 })),
  };
  const send = fc.record(fields, { noNullPrototype: true });
  fc.assert(
    fc.property(send, (request: ChatRequest) => {
      const writer = new ByteWriter();
      encodeChatRequest(writer, request);
      assert.deepEqual(decodeChatRequest(new ByteReader(writer.take())), request);
    }),
  );
  const answers: ChatAnswer[] = [
    { kind: "sent", seq: 2 ** 40, atMs: 1_790_000_000_000, duplicate: true },
    { kind: "json", json: '{"ü":1}' },
    { kind: "joined", key: 2 ** 47, head: 7, json: "{}" },
    { kind: "bytes", bytes: Uint8Array.of(0, 255) },
    { kind: "refused", code: "forbidden", error: "no" },
  ];
  for (const answer of answers) {
    const writer = new ByteWriter();
    encodeChatAnswer(writer, answer);
    assert.deepEqual(decodeChatAnswer(new ByteReader(writer.take())), answer);
  }
});

test("records of a room are read one by one; cut short, they are refused rather than misread", () => {
  const writer = new ByteWriter();
  writeEntryRecord(writer, 5, 42, '{"seq":', '{"text":"ü"}');
  writeRecord(writer, recordKinds.reset, 5, 0, "");
  writePassingExcept(writer, 5, "session", '{"event":"typing"}');
  const payload = writer.take();
  const seen: unknown[] = [];
  readRecords(payload, (kind, tag, seq, frame) =>
    seen.push([
      kind,
      tag,
      seq,
      kind === recordKinds.passingExcept ? String(splitPassingExcept(frame).frame) : String(frame),
    ]),
  );
  assert.deepEqual(seen, [
    [recordKinds.entry, 5, 42, '{"seq":42,"data":{"text":"ü"}}'],
    [recordKinds.reset, 5, 0, ""],
    [recordKinds.passingExcept, 5, 0, '{"event":"typing"}'],
  ]);
  for (let cut = 1; cut < payload.length; cut++)
    try {
      readRecords(payload.subarray(0, cut), () => {});
    } catch (error) {
      assert.ok(error instanceof RangeError, String(error));
    }
});
