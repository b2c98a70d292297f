// What nobody should send, and what each of it is answered; and that nobody else on the gateway notices.
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { after, before, test } from "node:test";
import { decode, encode } from "@msgpack/msgpack";
import type { Reply } from "@parley/protocol";
import { startTestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { connectTestClient, type TestClient } from "../support/websocket-client.ts";
import { type BareSocket, openBareSocket } from "./bare-socket.ts";

/** What a frame is answered: `ok`, or a code of the protocol. */
type Answer = "ok" | NonNullable<Reply["code"]>;
type Row = readonly [what: string, frame: string | Buffer, answer: Answer];

const stack = await startTestStack({ after });
const url = `${stack.wsUrl(1)}/ws`;
/** Below the 21st bad frame, which ends a connection. */
const framesPerConnection = 18;
const limitBytes = 64 * 1024;

const event = (name: string, requestData: unknown) => JSON.stringify({ event: name, requestData });
let lastId = 0;
const message = (fields: object) =>
  event("SendMessage", { room: "hostile", clientMessageId: `m${++lastId}`, text: "x", ...fields });
const arrays = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
/** A frame with a value written by hand. */
const withData = (json: string) =>
  `{"event":"SendMessage","requestData":{"room":"hostile","clientMessageId":"m${++lastId}","data":${json}}}`;

const notStrings = ["1", "true", "{}", "[]", '["x"]', "-0.0", "1e400"];
const notSeqs = [
  '"1"',
  "1.5",
  "-1",
  "9007199254740992",
  "9007199254740993",
  "1e400",
  "-1e400",
  "true",
  "[]",
  "[1]",
  "{}",
];
const notBooleans = ['"true"', "0", "1", "{}", "[]", '""'];
const missing = ["null"];
const badNames = [
  "",
  "a\nb",
  "\r\n",
  "a\tb",
  "a\u0000b",
  "\u0000",
  "\u007f",
  "\u0085",
  "\u001b[31m",
  "\ud800",
  "a\udc00",
  "\udc00\ud800",
].map((name) => JSON.stringify(name));
const badIds = ["", " ", "a b", "ü", "\u0000", "a\n", "x".repeat(65), "🎉"].map((id) => JSON.stringify(id));
const rooms = [...notStrings, ...missing, ...badNames];
const notDurations = [
  "0",
  "-1",
  "1.5",
  "360000",
  "1e400",
  "true",
  "[]",
  "{}",
  ...['""', '"25"', '"25:99"', '"00:00:60"'],
];

/** Each event with good fields, and what each of its fields refuses. */
const fieldsOf: { name: string; good: object; wrong: { [field: string]: string[] } }[] = [
  {
    name: "JoinRoom",
    good: { room: "hostile" },
    wrong: { room: rooms, since: notSeqs, epoch: [...notStrings, '""', '"\\u0000"'] },
  },
  { name: "LeaveRoom", good: { room: "hostile" }, wrong: { room: rooms, forget: notBooleans } },
  {
    name: "SendMessage",
    good: { room: "hostile", clientMessageId: "w", text: "x" },
    wrong: {
      room: rooms,
      clientMessageId: [...notStrings, ...missing, ...badIds],
      text: [...notStrings, ...missing, '""', '"\\ud800"', '"a\\udfff"'],
      replyTo: [...notSeqs, "0"],
      after: [...notStrings, ...badIds],
    },
  },
  {
    name: "EditMessage",
    good: { room: "hostile", clientMessageId: "w", target: 1, text: "x" },
    wrong: {
      room: notStrings,
      clientMessageId: badIds,
      target: [...notSeqs, ...missing, "0"],
      text: [...notStrings, ...missing, '""', '"\\ud800"'],
      after: badIds,
    },
  },
  {
    name: "DeleteMessage",
    good: { room: "hostile", clientMessageId: "w", target: 1 },
    wrong: { room: notStrings, clientMessageId: notStrings, target: [...notSeqs, ...missing] },
  },
  {
    name: "React",
    good: { room: "hostile", clientMessageId: "w", target: 1, emoji: "x" },
    wrong: {
      target: notSeqs,
      emoji: [...notStrings, ...missing, '""', '"\\u0000"', '"\\ud83c"', JSON.stringify("x".repeat(33))],
      remove: notBooleans,
    },
  },
  {
    name: "History",
    good: { room: "hostile" },
    wrong: { room: rooms, before: notSeqs, after: notSeqs, limit: [...notSeqs, "0"] },
  },
  {
    name: "MarkRead",
    good: { room: "hostile", seq: 0 },
    wrong: { room: notStrings, seq: [...notSeqs, ...missing] },
  },
  { name: "Rooms", good: {}, wrong: { next: [...notStrings, ...badNames] } },
  {
    name: "Typing",
    good: { room: "hostile", typing: true },
    wrong: { room: rooms, typing: [...notBooleans, ...missing] },
  },
  { name: "StartTimer", good: { room: "hostile" }, wrong: { room: rooms, duration: notDurations } },
  { name: "StopTimer", good: {}, wrong: { room: rooms } },
  {
    name: "ResetTimer",
    good: { room: "hostile" },
    wrong: { room: notStrings, duration: ['"100:00:00"', '"-0:00:01"'] },
  },
  { name: "GetTimer", good: {}, wrong: { room: rooms } },
  {
    name: "SetTimer",
    good: { room: "hostile", duration: 5 },
    wrong: {
      room: notStrings,
      duration: notDurations,
      cycle: [
        "1",
        '"on"',
        "[]",
        '{"rounds":0}',
        '{"rounds":101}',
        '{"auto":1}',
        '{"shortBreak":0}',
        '{"longBreak":"5"}',
      ],
      control: [...notStrings, '"me"', '""'],
      notify: notBooleans,
    },
  },
  {
    name: "Emit",
    good: { room: "hostile", event: "x" },
    wrong: {
      event: [...notStrings, ...missing, '""', '"\\u0000"', '"message"', '"presence"', '"Register"', '"disconnect"'],
      room: [...notStrings, ...missing, ...badNames],
      data: ["1e400"],
    },
  },
  {
    name: "Emit",
    good: { event: "x" },
    wrong: { users: ["1", '"u1"', "[]", "[1]", "[null]", '[""]', "{}"], all: ["1", "false", '"true"'] },
  },
  {
    name: "ActiveUsers",
    good: {},
    wrong: { room: [...notStrings, ...badNames], next: [...notStrings, '""'], limit: [...notSeqs, "0"] },
  },
  {
    name: "SetStatus",
    good: { status: "busy" },
    wrong: { status: [...notStrings, ...missing, '""', '"offline"'], text: [...notStrings, '"\\u0000"'] },
  },
  { name: "Notifications", good: {}, wrong: { next: [...notStrings, '""'], unreadOnly: notBooleans } },
  { name: "ReadNotification", good: { id: "x" }, wrong: { id: [...notStrings, ...missing, '""'], all: ["true", "1"] } },
  { name: "GetPreferences", good: {}, wrong: {} },
  {
    name: "SetPreferences",
    good: { channels: {} },
    wrong: {
      channels: ["1", "[]", '{"A b":["sms"]}', '{"mention":["fax"]}', '{"mention":"sms"}'],
      quietHours: [
        "1",
        "{}",
        '{"from":"22:00","to":"7:00","timeZone":"UTC"}',
        '{"from":"22:00","to":"07:00","timeZone":"Mars"}',
      ],
      mutedRooms: ["1", "{}", "[1]"],
      digestMinutes: ["1", '{"mention":-1}', '{"mention":1441}'],
      unheardOf: ["1"],
    },
  },
  {
    name: "OpenTicket",
    good: { subject: "x", text: "x" },
    wrong: {
      subject: [...notStrings, ...missing, '""', '"\\u0000"'],
      text: [...notStrings, ...missing, '""', '"  "'],
      clientTicketId: [...notStrings, '""', '"a b"'],
    },
  },
  { name: "Tickets", good: {}, wrong: { status: [...notStrings, '"lost"'], next: [...notStrings, ...badNames] } },
  { name: "ClaimTicket", good: {}, wrong: { room: rooms } },
  { name: "HandOverTicket", good: { room: "ticket-x" }, wrong: { agent: [...notStrings, ...missing, '""'] } },
  {
    name: "CloseTicket",
    good: { room: "ticket-x" },
    wrong: { room: rooms, rating: [...notSeqs, "0", "6"], comment: notStrings },
  },
  { name: "RefreshToken", good: { token: "x" }, wrong: { token: [...notStrings, ...missing, '""'] } },
  {
    name: "Register",
    good: { guest: true },
    wrong: {
      token: [...notStrings, '""', '"with guest:true"'],
      guest: notBooleans,
      name: [...notStrings, ...badNames, JSON.stringify("x".repeat(129))],
      info: ["1", "[]", '"x"'],
      rooms: [
        "1",
        "true",
        "[]",
        '"x"',
        '{"r":1}',
        '{"r":null}',
        '{"":{}}',
        '{"a\\u0000":{}}',
        '{"r":{"since":-1}}',
        '{"r":{"epoch":1}}',
      ],
      presence: [...notStrings, '"some"', '""'],
    },
  },
];

function fieldRows(): Row[] {
  return fieldsOf.flatMap(({ name, good, wrong }) =>
    Object.entries(wrong).flatMap(([field, values]) =>
      values.map((value): Row => {
        const rest = JSON.stringify({ ...good, [field]: undefined }).slice(1, -1);
        const frame = `{"event":"${name}","requestData":{${rest}${rest === "" ? "" : ","}"${field}":${value}}}`;
        return [`${name} with ${field}: ${value.slice(0, 40)}`, frame, "bad_request"];
      }),
    ),
  );
}

// biome-ignore format: a table
const frames: Row[] = [
  ...["", " ", "\t\r\n", "null", "true", "0", "1e400", '"x"', "[]", "[{}]", "{", "}", "{}}", "{}{}", "{'event':'Heartbeat'}", "{event:1}",
    "NaN", "undefined", "\u0000", '{"event":"Heartbeat",}', '{"event":"Heartbeat"}//', '{"event":"Heart\nbeat"}', '{"event":"a\u0000"}',
    '\ufeff{"event":"Heartbeat"}', '{"event":"Heartbeat"', '"'.repeat(50_000), "{".repeat(60_000), "\\".repeat(1_000), "1".repeat(60_000),
    '{"a":'.repeat(16), "]".repeat(100) + "[".repeat(100),
  ].map((frame): Row => [`the text ${JSON.stringify(frame.slice(0, 40))}`, frame, "bad_frame"]),
  ...['"ServerEvent"', '"Reply"', '"clientevent"', '""', "null", "1", "[]"].map(
    (type): Row => [`eventType ${type}`, `{"eventType":${type},"event":"Heartbeat"}`, "bad_frame"],
  ),
  ["no event", "{}", "unknown_event"],
  ...["null", "1", "[]", "{}", '""', '"heartbeat"', '"Heartbeat "', '"Heartbeat\\u0000"', '"toString"', '"hasOwnProperty"', '"__proto__"',
    '"constructor"', '"valueOf"', '"🎉"', '"\\ud800"', '"message"', '"Reply"', `"${"x".repeat(10_000)}"`,
  ].map((name): Row => [`event ${name.slice(0, 40)}`, `{"event":${name},"requestData":{}}`, "unknown_event"]),
  ...["1", '"x"', "[]", "[{}]", "true", "1e400"].map(
    (data): Row => [`requestData ${data}`, `{"event":"Heartbeat","requestData":${data}}`, "bad_request"],
  ),
  ...["1.5", "true", "{}", "[]", "9007199254740993", "1e400", `"${"x".repeat(65)}"`, '"\\ud800"'].map(
    (id): Row => [`requestId ${id.slice(0, 40)}`, `{"event":"Heartbeat","requestId":${id}}`, "bad_request"],
  ),
  ["whitespace around", ' \r\n\t{ "event" : "Heartbeat" } \n', "ok"],
  ["requestData null", '{"event":"Heartbeat","requestData":null}', "ok"],
  ["fields nobody knows", '{"event":"Heartbeat","x":1,"requestData":{"y":{}}}', "ok"],
  ["the last of two events counts", '{"event":"Nope","event":"Heartbeat"}', "ok"],
  ["the last of two events counts, if unknown", '{"event":"Heartbeat","event":"Nope"}', "unknown_event"],
  ["the last of two requestData counts", '{"event":"Heartbeat","requestData":{},"requestData":[]}', "bad_request"],
  ["escaped letters of a field", '{"\\u0065vent":"Heart\\u0062eat"}', "ok"],

  ...['"__proto__"', '"constructor"', '"prototype"', '"\\u005f_proto__"', '"\\u005F\\u005Fproto\\u005f\\u005f"', '"const\\u0072uctor"',
    '"\\u0070rototype"', '"\\u005f\\u005f\\u0070\\u0072\\u006f\\u0074\\u006f\\u005f\\u005f"',
  ].flatMap((key): Row[] => [
    [`the key ${key} in a frame`, `{"event":"Heartbeat",${key}:{"admin":true}}`, "bad_frame"],
    [`the key ${key} in requestData`, `{"event":"Heartbeat","requestData":{${key}:1}}`, "bad_frame"],
    [`the key ${key} in data`, withData(`{${key}:null}`), "bad_frame"],
    [`the key ${key} deep in data`, withData(`[[[{"a":[1,{"b":{${key}:{}}}]}]]]`), "bad_frame"],
    [`the key ${key} of a room`, `{"event":"Register","requestData":{"guest":true,"rooms":{${key}:{}}}}`, "bad_frame"],
  ]),
  ["refused keys as values", withData('["__proto__","constructor",{"a":"prototype"}]'), "ok"],
  ["keys that only look refused", withData('{"__proto__ ":1,"__Proto__":2,"Constructor":3,"proto":4,"toString":5}'), "ok"],

  ["nested 16 deep", withData(arrays(14)), "ok"],
  ["nested 17 deep", withData(arrays(15)), "bad_frame"],
  ["objects nested 16 deep", withData(`${'{"a":'.repeat(14)}1${"}".repeat(14)}`), "ok"],
  ["objects nested 17 deep", withData(`${'{"a":'.repeat(15)}1${"}".repeat(15)}`), "bad_frame"],
  ["nested 30,000 deep", withData(arrays(30_000)), "bad_frame"],
  ["many arrays side by side", withData(`[${"[],".repeat(10_000)}[]]`), "ok"],
  ["brackets in a string", withData(`"${"[{".repeat(1_000)}\\"[["`), "ok"],
  ["an info nested 17 deep", `{"event":"Register","requestData":{"info":{"a":${arrays(15)}}}}`, "bad_frame"],

  ["a number beyond all", withData("1e400"), "bad_request"],
  ["a number beyond all, deep", withData('{"a":[-1e999]}'), "bad_request"],
  ["a number of 400 digits", withData("9".repeat(400)), "bad_request"],
  ["the largest number", withData("1.7976931348623157e308"), "ok"],
  ["the smallest number", withData("5e-324"), "ok"],
  ["a limit of 10^9", event("History", { room: "hostile", limit: 1e9 }), "ok"],
  ["a limit of 2^53 - 1", event("History", { room: "hostile", limit: 2 ** 53 - 1 }), "ok"],
  ["before 2^53 - 1", event("History", { room: "hostile", before: 2 ** 53 - 1 }), "ok"],
  ["after 2^53 - 1", event("History", { room: "hostile", after: 2 ** 53 - 1 }), "ok"],
  ["before and after", event("History", { room: "hostile", before: 1, after: 1 }), "bad_request"],
  ["since 2^53 - 1", event("JoinRoom", { room: "hostile", since: 2 ** 53 - 1 }), "ok"],
  ["an epoch of nobody's", event("JoinRoom", { room: "hostile", since: 0, epoch: "'; --" }), "ok"],
  ["replyTo 2^53 - 1", message({ replyTo: 2 ** 53 - 1 }), "bad_request"],
  ["a target that is not there", event("React", { room: "hostile", clientMessageId: "t", target: 2 ** 53 - 1, emoji: "x" }), "not_found"],

  ["text of 16 KiB", message({ text: "x".repeat(16_384) }), "ok"],
  ["text over 16 KiB", message({ text: "x".repeat(16_385) }), "too_large"],
  ["16 KiB of emoji", message({ text: "🎉".repeat(4_096) }), "ok"],
  ["over 16 KiB of emoji", message({ text: "🎉".repeat(4_097) }), "too_large"],
  ["over 16 KiB of three-byte letters", message({ text: "\u20ac".repeat(5_462) }), "too_large"],
  ["text with NUL, bells and escapes", message({ text: "\u0000\u0007\u001b[2J\r\n\u2028\u202e" }), "ok"],
  ["text that looks like a frame", message({ text: '"},"seq":7,"x":{"' }), "ok"],
  ["data with half a surrogate", withData('"\\ud800"'), "ok"],
  ["data with NUL in a key", withData('{"a\\u0000b":1}'), "ok"],
  ["data with a long key", withData(`{"${"k".repeat(30_000)}":1}`), "ok"],
  ["text and data both empty", message({ text: "", data: null }), "bad_request"],
  ["a clientMessageId of 64", message({ clientMessageId: `"\\'<>&${"~".repeat(58)}` }), "ok"],
  ["a frame of 64 KiB", '{"event":"Heartbeat"}'.padEnd(limitBytes), "ok"],
  ["an info over 4 KiB", event("Register", { guest: true, info: { a: "x".repeat(4_096) } }), "too_large"],
  ["501 rooms to resume", event("Register", { guest: true, rooms: Object.fromEntries(Array.from({ length: 501 }, (_, i) => [`r${i}`, {}])) }), "too_large"],
  ["a second Register", event("Register", { guest: true }), "already_registered"],
  ["a second Register with a token", event("Register", { token: "x" }), "already_registered"],
];

const oddRooms = [
  ...[
    ">",
    "*",
    ".",
    "..",
    "a.>",
    "a.*",
    "a..b",
    "$JS.API.x",
    "$SYS.>",
    "_INBOX.x",
    "parley.gateway.all",
    "parley.room.>",
  ],
  ...[
    " ",
    "  x  ",
    "🎉",
    "👨‍👩‍👧",
    "\u202eabc",
    "\u200b",
    "\ufeff",
    "\u2028",
    "é",
    "عربى",
    "x".repeat(128),
    "🎉".repeat(64),
  ],
  ...[
    "__proto__",
    "constructor",
    "toString",
    "null",
    "undefined",
    "0",
    "-1",
    "%00",
    "%2F",
    "a/b",
    "../../etc/passwd",
    "\\",
  ],
  ...["'; DROP TABLE rooms; --", '"', '","seq":1', "<script>alert(1)</script>", "$x", "{{x}}", "#", "?a=b", "&"],
];

interface Attacker {
  socket: BareSocket;
  replies(): Reply[];
}

let passedFrames = 0;

/** A fresh registered connection, in text or in MessagePack. */
async function attack(binary: boolean): Promise<Attacker> {
  const socket = await openBareSocket(url, binary ? ["parley.v1.msgpack"] : []);
  const all = () =>
    binary ? socket.frames.map((frame) => decode(frame as Buffer) as Reply) : (socket.json() as unknown as Reply[]);
  const replies = () => all().filter(({ eventType }) => eventType === "Reply");
  const register = { event: "Register", requestData: { guest: true } };
  socket.send(binary ? Buffer.from(encode(register)) : JSON.stringify(register));
  await waitFor("the registration", () => replies().length === 1);
  return { socket, replies };
}

/** Sends each frame to a connection that is replaced in time, and compares its one answer. */
async function checkRows(rows: readonly Row[], binary = false): Promise<void> {
  for (let from = 0; from < rows.length; from += framesPerConnection) {
    const { socket, replies } = await attack(binary);
    let seen = 1;
    for (const [what, frame, expected] of rows.slice(from, from + framesPerConnection)) {
      socket.send(frame);
      seen++;
      const reply = await waitFor(`the answer to ${what}`, () => replies()[seen - 1], { everyMs: 1 });
      assert.equal(reply.success ? "ok" : reply.code, expected, `${what}: ${reply.error}`);
      if (!reply.success) {
        assert.ok((reply.error as string).length > 5, what);
        assert.equal(reply.data, null, what);
      }
      if (expected === "bad_frame") assert.equal(reply.requestId, null, what);
      passedFrames++;
    }
    const heartbeat = { event: "Heartbeat", requestId: "the last" };
    socket.send(binary ? Buffer.from(encode(heartbeat)) : JSON.stringify(heartbeat));
    await waitFor("the last reply", () => replies().some(({ requestId }) => requestId === "the last"), { everyMs: 1 });
    // [S2] Not one reply more than frames.
    assert.equal(replies().length, seen + 1);
    await socket.close();
  }
}

// Someone who has nothing to do with it, on the gateway under attack, and a listener on the other one.
const pidsOf = () => stack.rows().map(({ service, instance, pid }) => `${service} ${instance} ${pid}`);
const pids = pidsOf();
let bystander: TestClient;
let listener: TestClient;
let talking = true;
let talk: Promise<void>;
let said = 0;
let slowestMs = 0;

before(async () => {
  bystander = await connectTestClient(url);
  listener = await connectTestClient(`${stack.wsUrl(2)}/ws`);
  for (const client of [bystander, listener]) {
    await client.registerGuest();
    await client.request("JoinRoom", { room: "innocent" });
  }
  talk = (async () => {
    while (talking) {
      const startMs = performance.now();
      await bystander.request("SendMessage", { room: "innocent", clientMessageId: `i${++said}`, text: String(said) });
      slowestMs = Math.max(slowestMs, performance.now() - startMs);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  // Looked at by the last test.
  talk.catch(() => {});
});
after(async () => {
  talking = false;
  await Promise.all([bystander.close(), listener.close()]);
});

test("[S2] every field of every event refuses every wrong type and value with bad_request", () =>
  checkRows(fieldRows()));

test("[S2] frames that are no frames, odd keys, depths, numbers and sizes get their documented answers", () =>
  checkRows(frames));

test("room names that mean something elsewhere are names like any other, each a room of its own", async () => {
  const sends = oddRooms.map((room): Row => [`a message to ${room}`, message({ room, text: `to ${room}` }), "ok"]);
  await checkRows(sends);
  for (const room of oddRooms) {
    const { entries } = await listener.request<{ entries: { text: string }[] }>("History", { room });
    assert.deepEqual(
      entries.map(({ text }) => text),
      [`to ${room}`],
      room,
    );
  }
  const wrong = ["x".repeat(129), "x".repeat(300), "🎉".repeat(65), "x".repeat(20_000), "a\r\nPUB x 1\r\n", "\u0000"];
  await checkRows(wrong.map((room) => [`the room ${room.slice(0, 20)}`, message({ room }), "bad_request"]));
  // One name, however its letters are composed; lengths are counted in the composed form.
  await checkRows([["a decomposed name", message({ room: "e\u0301" }), "ok"]]);
  assert.equal((await listener.request<{ head: number }>("History", { room: "é" })).head, 2);
  await checkRows([["128 decomposed letters", message({ room: "e\u0301".repeat(128) }), "ok"]]);
});

test("[S2] hostile MessagePack: what is not one small plain object is refused, whatever it claims to hold", async () => {
  const pack = (value: unknown) => Buffer.from(encode(value, { maxDepth: 100, ignoreUndefined: true }));
  const sending = (data: unknown) =>
    pack({ event: "SendMessage", requestData: { room: "packed", clientMessageId: `p${++lastId}`, data } });
  const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
  const claims = Buffer.from([0xdd, 0x01, 0xc9, 0xc3, 0x80]);
  const heartbeat = pack({ event: "Heartbeat" });
  const room = (bytes: number[]) =>
    Buffer.concat([
      Buffer.from([0x82]),
      pack("event"),
      pack("JoinRoom"),
      pack("requestData"),
      Buffer.from([0x81]),
      pack("room"),
      Buffer.from([0xa0 | bytes.length, ...bytes]),
    ]);
  await checkRows(
    [
      ["a frame", heartbeat, "ok"],
      ["nothing", Buffer.alloc(0), "bad_frame"],
      ["nil", pack(null), "bad_frame"],
      ["a number", pack(1), "bad_frame"],
      ["a string", pack("x"), "bad_frame"],
      ["an array", pack([{ event: "Heartbeat" }]), "bad_frame"],
      ["JSON", Buffer.from('{"event":"Heartbeat"}'), "bad_frame"],
      ["a frame and more", Buffer.concat([heartbeat, heartbeat]), "bad_frame"],
      ["half a frame", heartbeat.subarray(0, -3), "bad_frame"],
      ["the byte that means nothing", Buffer.from([0xc1]), "bad_frame"],
      ["an array that claims 30 million items", claims, "bad_frame"],
      ["13,000 of them, one in the other", Buffer.concat(Array.from({ length: 13_000 }, () => claims)), "bad_frame"],
      ["an array that claims 2^32 - 1 items", Buffer.from([0xdd, 255, 255, 255, 255]), "bad_frame"],
      ["a map that claims 2^32 - 1 items", Buffer.from([0xdf, 255, 255, 255, 255]), "bad_frame"],
      ["a string that claims 4 GiB", Buffer.from([0xdb, 255, 255, 255, 255]), "bad_frame"],
      ["60,000 arrays deep", Buffer.alloc(60_000, 0x91), "bad_frame"],
      ["60,000 maps deep", Buffer.alloc(60_000, 0x81), "bad_frame"],
    ],
    true,
  );
  await checkRows(
    [
      ["nested 16 deep", sending(nested(14)), "ok"],
      ["nested 17 deep", sending(nested(15)), "bad_frame"],
      ["bytes in data", sending(new Uint8Array(3)), "bad_frame"],
      ["a date in data", sending(new Date(0)), "bad_frame"],
      ["NaN in data", sending(Number.NaN), "bad_frame"],
      ["infinity in data", sending([Number.POSITIVE_INFINITY]), "bad_frame"],
      ["an unknown extension", Buffer.from([0xd4, 99, 0]), "bad_frame"],
      ["the key __proto__", Buffer.concat([Buffer.from([0x81]), pack("__proto__"), pack({})]), "bad_frame"],
      ["the key constructor in data", sending({ constructor: 1 }), "bad_frame"],
      ["the key prototype deep in data", sending([{ a: { prototype: 1 } }]), "bad_frame"],
      ["numbers as keys", Buffer.from([0x81, 1, 2]), "unknown_event"],
      ["an array as a key", Buffer.from([0x81, 0x90, 2]), "bad_frame"],
      ["a seq of 2^64 - 1", pack({ event: "MarkRead", requestData: { room: "packed", seq: 2 ** 63 } }), "bad_request"],
      ["a room with NUL", room([0x61, 0]), "bad_request"],
      ["a room with half a surrogate", room([0xed, 0xa0, 0x80]), "bad_request"],
      ["a frame again", heartbeat, "ok"],
    ],
    true,
  );
});

test("frames that break WebSocket itself, or are over 64 KiB, end the connection and no other", async () => {
  const raw = (bytes: number[]) => (socket: BareSocket) => {
    (socket.socket as unknown as { _socket: Socket })._socket.write(Buffer.from(bytes));
  };
  const mask = [0, 0, 0, 0];
  const endings: [string, (socket: BareSocket) => void, number][] = [
    ["a frame over 64 KiB", ({ send }) => send(`"${"x".repeat(limitBytes)}"`), 1006],
    ["a frame of 8 MiB", ({ send }) => send("x".repeat(8 * 1024 * 1024)), 1006],
    [
      "a text frame that is not UTF-8",
      ({ socket }) => socket.send(Buffer.from([0x22, 0xff, 0xfe, 0x22]), { binary: false }),
      1006,
    ],
    [
      "half a surrogate in UTF-8",
      ({ socket }) => socket.send(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), { binary: false }),
      1006,
    ],
    ["bytes where text is spoken", ({ send }) => send(Buffer.from('{"event":"Heartbeat"}')), 1003],
    ["a reserved bit", raw([0xf1, 0x80, ...mask]), 1006],
    ["a reserved opcode", raw([0x83, 0x80, ...mask]), 1006],
    ["a ping in two parts", raw([0x09, 0x80, ...mask]), 1006],
    ["a ping of 126 bytes", raw([0x89, 0xfe, 0, 126, ...mask, ...new Array(126).fill(0)]), 1006],
    ["a length of 2^63", raw([0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, ...mask]), 1006],
  ];
  for (const [what, send, code] of endings) {
    const { socket } = await attack(false);
    send(socket);
    const end = await waitFor(`the end after ${what}`, () =>
      Promise.race([socket.closed, new Promise<null>((resolve) => setTimeout(resolve, 50, null))]),
    );
    assert.equal(end.code, code, what);
    passedFrames++;
  }
});

test("an innocent bystander noticed nothing of all that, and every process is the one it was", async () => {
  assert.ok(passedFrames > 200, `${passedFrames} frames`);
  talking = false;
  await talk;
  assert.ok(said > 10, `it said ${said} messages`);
  assert.ok(slowestMs < 2_000, `one took ${slowestMs} ms`);
  for (const client of [bystander, listener]) {
    await client.waitForEvent("message", ({ seq }) => seq === said);
    const heard = client.events.filter(({ event }) => event === "message");
    assert.deepEqual(
      heard.map(({ seq }) => seq),
      Array.from({ length: said }, (_, i) => i + 1),
    );
    assert.ok(heard.every(({ room }) => room === "innocent"));
  }
  assert.deepEqual(pidsOf(), pids);
  // What was thrown at it changed no prototype: a plain guest is still a plain guest.
  const guest = await connectTestClient(url);
  const { user } = await guest.registerGuest();
  assert.deepEqual(Object.keys(user).sort(), ["guest", "id", "name"]);
  await guest.close();
});
