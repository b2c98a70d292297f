import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createFrameParser, maskedFrame, opcodes, writeMaskedDigits } from "../src/frames.ts";

/** A server's frame: as `maskedFrame` makes a client's, without the mask. */
function serverFrame(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65536 ? 4 : 10);
  head[0] = 0x80 | opcode;
  head[1] = length < 126 ? length : length < 65536 ? 126 : 127;
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

function unmask({ bytes, payloadStart }: { bytes: Buffer; payloadStart: number }): Buffer {
  const key = bytes.subarray(payloadStart - 4, payloadStart);
  return Buffer.from(bytes.subarray(payloadStart).map((byte, i) => byte ^ key[i & 3]!));
}

const payloads = fc.oneof(
  { weight: 6, arbitrary: fc.uint8Array({ maxLength: 140 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(125, 126, 65535, 65536, 70000).map((length) => new Uint8Array(length).fill(7)),
  },
);
const someOpcode = fc.constantFrom(opcodes.text, opcodes.binary, opcodes.ping, opcodes.close);

test("frames come out whole and in order wherever the chunks were cut, though all chunks share one buffer", () => {
  const frames = fc.array(fc.tuple(someOpcode, payloads), { minLength: 1, maxLength: 12 });
  const cuts = fc.array(fc.nat(1_000_000), { maxLength: 40 });
  fc.assert(
    fc.property(frames, cuts, (sent, cutSeeds) => {
      const stream = Buffer.concat(sent.map(([opcode, payload]) => serverFrame(opcode, payload)));
      const at = [...new Set([...cutSeeds.map((seed) => seed % (stream.length + 1)), stream.length])].sort(
        (a, b) => a - b,
      );
      const shared = Buffer.alloc(stream.length);
      const received: [number, string][] = [];
      const parse = createFrameParser((opcode, bytes, start, end) =>
        received.push([opcode, bytes.toString("hex", start, end)]),
      );
      let from = 0;
      for (const to of at) {
        shared.fill(0xee);
        stream.copy(shared, 0, from, to);
        parse(shared, 0, to - from);
        from = to;
      }
      assert.deepEqual(
        received,
        sent.map(([opcode, payload]) => [opcode, Buffer.from(payload).toString("hex")]),
      );
    }),
  );
});

test("a stream cut after every single byte is read like one chunk", () => {
  const stream = Buffer.concat([Buffer.from("a"), Buffer.alloc(300, "b")].map((it) => serverFrame(opcodes.text, it)));
  const lengths: number[] = [];
  const parse = createFrameParser((_opcode, _bytes, start, end) => lengths.push(end - start));
  for (let i = 0; i < stream.length; i++) parse(stream.subarray(i, i + 1), 0, 1);
  assert.deepEqual(lengths, [1, 300]);
});

test("a masked frame holds its payload, and digits can be written into it", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 12, maxLength: 300 }), fc.nat(99_999_999), (payload, value) => {
      const frame = maskedFrame(opcodes.text, payload);
      assert.deepEqual(unmask(frame), Buffer.from(payload));
      writeMaskedDigits(frame.bytes, frame.payloadStart, 3, 8, value);
      assert.equal(unmask(frame).toString("latin1", 3, 11), String(value).padStart(8, "0"));
    }),
  );
});

test("what a server must not send is refused with a clear error", () => {
  const parse = createFrameParser(() => {});
  assert.throws(() => parse(Buffer.from([0x01, 0x01, 0x61]), 0, 3), /can't read/);
  assert.throws(() => parse(Buffer.from([0x81, 0x81, 1, 2, 3, 4, 5]), 0, 7), /can't read/);
});
