import assert from "node:assert/strict";
import test from "node:test";
import { timerOrder } from "@parley/bus";
import fc from "fast-check";
import type { HubRoom } from "../src/hub.ts";
import { createRoomTimers } from "../src/room-timers.ts";
import type { Session } from "../src/session.ts";

interface Frame {
  version: number;
  seconds: number;
}

const orderOf = ({ version, seconds }: Frame) => timerOrder(version, seconds);
const frames = fc.record<Frame>({ version: fc.integer({ min: 1, max: 6 }), seconds: fc.integer({ min: 0, max: 40 }) });

/** A room with three sessions, each with what it heard. */
function world(peeked: (n: number) => Frame | null) {
  const heard = new Map<Session, Frame[]>();
  const sessions = Array.from({ length: 3 }, () => {
    const mine: Frame[] = [];
    const session = { link: { send: (frame: string) => mine.push(JSON.parse(frame)) } } as unknown as Session;
    heard.set(session, mine);
    return session;
  });
  const room = { name: "r", key: 1, tag: 7, timerOrder: 0, listeners: new Set(sessions) } as unknown as HubRoom;
  let peeks = 0;
  const timers = createRoomTimers({
    publish: (_room, bytes) => {
      for (const mine of heard.values()) mine.push(JSON.parse(Buffer.from(bytes).toString("utf8")));
    },
    ask: async () => {
      const frame = peeked(peeks++);
      return {
        kind: "json",
        json: JSON.stringify(frame && { tag: 7, order: orderOf(frame), frame: JSON.stringify(frame) }),
      };
    },
    onError: (error) => assert.fail(String(error)),
  });
  return { timers, room, sessions, heard };
}

test("[T1] whatever workers send, in whatever order, nobody sees a frame earlier than the one before", async () => {
  const step = fc.oneof(
    frames.map((frame) => ({ kind: "record" as const, frame })),
    fc.record({ kind: fc.constant("join" as const), session: fc.nat({ max: 2 }), frame: frames }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const peeked = steps.flatMap((each) => (each.kind === "join" ? [each.frame] : []));
      const { timers, room, sessions, heard } = world((n) => peeked[n] ?? null);
      for (const each of steps) {
        if (each.kind === "record") timers.heard(room, orderOf(each.frame), Buffer.from(JSON.stringify(each.frame)));
        else {
          timers.show(room, sessions[each.session] as Session);
          await new Promise(setImmediate);
        }
      }
      for (const mine of heard.values())
        mine.forEach((frame, i) => {
          const before = mine[i - 1];
          if (before) assert.ok(orderOf(frame) >= orderOf(before), `${JSON.stringify([before, frame])}`);
        });
    }),
  );
});

test("one who joins is shown the present frame alone; a room of another key shows nothing", async () => {
  const { timers, room, sessions, heard } = world(() => ({ version: 2, seconds: 9 }));
  timers.heard(room, timerOrder(2, 9), Buffer.from(JSON.stringify({ version: 2, seconds: 9 })));
  timers.show(room, sessions[0] as Session);
  await new Promise(setImmediate);
  assert.deepEqual(
    [...heard.values()].map((mine) => mine.length),
    [2, 1, 1],
  );
  Object.assign(room, { tag: 8 });
  timers.show(room, sessions[1] as Session);
  await new Promise(setImmediate);
  assert.equal(heard.get(sessions[1] as Session)?.length, 1);
});

test("one who joins hears once what the room is told while the answer is under way", async () => {
  const frame = { version: 2, seconds: 9 };
  const { timers, room, sessions, heard } = world(() => frame);
  timers.show(room, sessions[0] as Session);
  timers.heard(room, orderOf(frame), Buffer.from(JSON.stringify(frame)));
  await new Promise(setImmediate);
  assert.deepEqual(heard.get(sessions[0] as Session), [frame]);
});

test("places grow with versions, and with the seconds gone within one; the end comes last", () => {
  const order = fc.tuple(fc.integer({ min: 1, max: 2 ** 30 }), fc.integer({ min: 0, max: 359_999 }));
  fc.assert(
    fc.property(order, order, ([versionA, secondsA], [versionB, secondsB]) => {
      const expected = Math.sign(versionA - versionB || secondsB - secondsA);
      assert.equal(Math.sign(timerOrder(versionA, secondsA) - timerOrder(versionB, secondsB)), expected);
      assert.ok(timerOrder(versionA, 0, true) > timerOrder(versionA, 0));
      assert.ok(timerOrder(versionA, 0, true) < timerOrder(versionA + 1, 359_999));
      assert.ok(Number.isSafeInteger(timerOrder(versionA + 1, 0)));
    }),
  );
});
