/** Client frames that are nearly right: built by the protocol's own structure, then bent in one place or more. */
import { clientEventNames, limits } from "@parley/protocol";
import type { Random } from "./random.ts";

const oddTexts = [
  "",
  " ",
  "\u0000",
  "\r\n",
  "\ud800",
  "é",
  "e\u0301",
  "👨‍👩‍👧",
  "__proto__",
  "constructor",
  "$JS.API.x",
  ">",
  "*",
  "a.b",
  "%00",
  "../x",
  "'",
  '"',
  "\\",
  "x".repeat(129),
  "x".repeat(16_385),
];
const oddNumbers = [
  0,
  -0,
  -1,
  1.5,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  2 ** 53,
  2 ** 53 - 1,
  Number.NaN,
  1e-7,
];
const rooms = ["fuzz-1", "fuzz-2", "fuzz-3"];

const anyValue = (random: Random, depth: number): unknown => {
  switch (random.below(depth > 4 ? 6 : 9)) {
    case 0:
      return random.pick(oddTexts);
    case 1:
      return random.pick(oddNumbers);
    case 2:
      return random.chance(0.5);
    case 3:
      return null;
    case 4:
      return random.below(100);
    case 5:
      return `t${random.below(1_000)}`;
    case 6:
      return Array.from({ length: random.below(4) }, () => anyValue(random, depth + 1));
    case 7:
      return Object.fromEntries(
        Array.from({ length: random.below(4) }, () => [
          random.pick([...oddTexts.slice(0, 18), "a", "text", "room"]),
          anyValue(random, depth + 1),
        ]),
      );
    default: {
      let nested: unknown = 1;
      for (let level = random.below(24); level > 0; level--) nested = random.chance(0.5) ? [nested] : { a: nested };
      return nested;
    }
  }
};

/** Fields as a well-behaved client has them. */
function goodFields(random: Random, event: string, id: string): Record<string, unknown> {
  const room = random.pick(rooms);
  const about = { room, clientMessageId: id, target: 1 + random.below(50) };
  switch (event) {
    case "SendMessage":
      return {
        room,
        clientMessageId: id,
        text: `t${random.below(1_000)}`,
        data: random.chance(0.2) ? anyValue(random, 0) : undefined,
      };
    case "EditMessage":
      return { ...about, text: "edited" };
    case "DeleteMessage":
      return about;
    case "React":
      return { ...about, emoji: "x", remove: random.chance(0.3) };
    case "JoinRoom":
      return { room, since: random.chance(0.3) ? random.below(20) : undefined };
    case "History":
      return { room, before: random.chance(0.3) ? random.below(50) : undefined, limit: 1 + random.below(5) };
    case "MarkRead":
      return { room, seq: random.below(5) };
    case "Typing":
      return { room, typing: random.chance(0.5) };
    case "Emit":
      return { room, event: "fuzzed", data: anyValue(random, 0) };
    case "SetStatus":
      return { status: random.pick(["online", "away", "busy"]) };
    case "RefreshToken":
      return { token: "x" };
    case "Register":
      return { guest: true };
    case "Notifications":
    case "Rooms":
    case "ActiveUsers":
      return {};
    default:
      return { room };
  }
}

/** Bends text in a place or two: what a structure's own generator never writes. */
function bend(random: Random, json: string): string {
  const at = random.below(json.length + 1);
  switch (random.below(6)) {
    case 0:
      return json.slice(0, at);
    case 1:
      return json.slice(0, at) + String.fromCharCode(random.below(0x10000)) + json.slice(at);
    case 2:
      return json.slice(0, at) + json.slice(at + 1 + random.below(4));
    case 3:
      return json + json;
    case 4:
      return (
        json.slice(0, at) +
        random.pick(["{", "}", "[", "]", '"', ",", ":", "\\", "\\u", "null", "1e999"]) +
        json.slice(at)
      );
    default:
      return json.slice(0, at) + json.slice(random.below(json.length + 1));
  }
}

/** One frame; `n` makes its id. It never says Unregister, which would end the connection rightly. */
export function fuzzFrame(random: Random, n: number): string {
  const event = random.chance(0.05)
    ? String(anyValue(random, 5))
    : random.pick(clientEventNames.filter((name) => name !== "Unregister"));
  const fields = goodFields(random, event, `z${n}`);
  const keys = Object.keys(fields);
  for (let i = random.below(3); i > 0; i--) {
    const key = keys.length > 0 && random.chance(0.8) ? random.pick(keys) : random.pick(oddTexts.slice(0, 18));
    fields[key] = anyValue(random, 0);
  }
  const frame: Record<string, unknown> = { event, requestId: n, requestData: fields };
  if (random.chance(0.05)) frame[random.pick(["eventType", "requestId", "requestData", "event"])] = anyValue(random, 0);
  const json = JSON.stringify(frame, (_key, value) =>
    typeof value === "number" && !Number.isFinite(value) ? "1e400" : value,
  ).replaceAll('"1e400"', "1e400");
  const text = random.chance(0.25) ? bend(random, json) : json;
  // One in half a million is over the limit of a frame, which ends the connection rightly.
  return Buffer.byteLength(text) > limits.frameBytes ? fuzzFrame(random, n) : text;
}
