/** What comes over the bus, bent: the decoders must refuse it with an error, never hang, crash or make room for what is not there. */
import {
  ByteReader,
  ByteWriter,
  type ChatRequest,
  decodeChatAnswer,
  decodeChatRequest,
  encodeChatAnswer,
  encodeChatRequest,
  readRecords,
  splitPassingExcept,
  writePassingExcept,
  writeRecord,
} from "@parley/bus";
import type { Random } from "./random.ts";

function goodBytes(random: Random): Buffer {
  const writer = new ByteWriter(256);
  const text = "x".repeat(random.below(60));
  switch (random.below(5)) {
    case 0: {
      const request: ChatRequest = {
        ...{ kind: "send", room: text, userId: "u", rights: "js", senderJson: "{}", clientMessageId: "m" },
        ...{ text: random.chance(0.5) ? text : null, dataJson: "null", replyTo: random.below(3) || null },
      };
      encodeChatRequest(writer, request);
      break;
    }
    case 1:
      encodeChatRequest(writer, { kind: "heads", rooms: [text] });
      break;
    case 2:
      encodeChatAnswer(
        writer,
        random.pick([
          { kind: "sent", seq: 1, atMs: 2, duplicate: false },
          { kind: "json", json: text },
          { kind: "joined", key: 1, head: 2, json: text },
          { kind: "bytes", bytes: Buffer.from(text) },
          { kind: "refused", code: "forbidden", error: text },
        ] as const),
      );
      break;
    case 3:
      for (let i = 1 + random.below(3); i > 0; i--) writeRecord(writer, 1 + random.below(5), 7, i, text);
      break;
    default:
      writePassingExcept(writer, 7, "session", text);
  }
  return Buffer.from(writer.take());
}

function bendBytes(random: Random, bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  for (let i = 1 + random.below(3); i > 0 && copy.length > 0; i--) {
    const at = random.below(copy.length);
    if (random.chance(0.3)) copy.writeUInt8(255, at);
    else copy.writeUInt8(random.below(256), at);
  }
  return random.chance(0.3) ? copy.subarray(0, random.below(copy.length + 1)) : copy;
}

const isRefusal = (error: unknown): boolean =>
  error instanceof RangeError ||
  error instanceof SyntaxError ||
  (error as { code?: string }).code === "ERR_OUT_OF_RANGE" ||
  (error as { code?: string }).code === "ERR_BUFFER_OUT_OF_BOUNDS";

/** Decodes one bent message by every decoder there is; throws when one fails in a way that its callers don't expect. */
export function fuzzBusOnce(random: Random): void {
  const bytes = bendBytes(random, goodBytes(random));
  for (const decode of [
    () => decodeChatRequest(new ByteReader(bytes)),
    () => decodeChatAnswer(new ByteReader(bytes)),
    () =>
      readRecords(bytes, (kind, _tag, _seq, frame) => {
        if (kind === 3) splitPassingExcept(frame);
      }),
  ]) {
    try {
      decode();
    } catch (error) {
      if (!isRefusal(error)) throw new Error(`a decoder failed on ${bytes.toString("hex")}`, { cause: error });
    }
  }
}
