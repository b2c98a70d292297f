import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openStore, type Store } from "@parley/store";
import { createRoomStates } from "../src/room-states.ts";

/** A store over many connections: what was asked first may be answered last. */
async function lastAskedFirst(t: TestContext): Promise<Store> {
  const store = await openStore("sqlite::memory:");
  t.after(() => store.close());
  let delayMs = 40;
  const late =
    <Args extends unknown[], T>(call: (...args: Args) => Promise<T>) =>
    async (...args: Args): Promise<T> => {
      delayMs = Math.max(0, delayMs - 2);
      await sleep(delayMs);
      return call(...args);
    };
  const { rooms } = store;
  const { find, create, member } = rooms;
  return { ...store, rooms: { ...rooms, find: late(find), create: late(create), member: late(member) } };
}

const numbers = Array.from({ length: 10 }, (_, i) => i);

test("[R4] those who come at once to a room that is not there go on in the order in which they came", async (t) => {
  const states = createRoomStates(await lastAskedFirst(t), { roomsByUse: true });
  const order: number[] = [];
  const rooms = await Promise.all(
    numbers.map(async (n) => {
      const state = await states.loadOrMake("new");
      order.push(n);
      return state;
    }),
  );
  assert.deepEqual(order, numbers);
  assert.equal(new Set(rooms).size, 1);
});

test("[R4] those of one member who come at once to a private room go on in that order", async (t) => {
  const states = createRoomStates(await lastAskedFirst(t), { roomsByUse: true });
  const { state } = await states.make("private", { visibility: "private" });
  const order: number[] = [];
  const asked = numbers.map(async (n) => {
    await Promise.resolve(states.access(state, "eve", "")).catch(() => {});
    order.push(n);
  });
  await Promise.all(asked);
  assert.deepEqual(order, numbers);
});
