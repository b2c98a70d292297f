import assert from "node:assert/strict";
import fc from "fast-check";
import { openStore } from "../open-store.ts";
import { type Store, StoreUnavailable } from "../store.ts";
import { flakyStore } from "./flaky-store.ts";
import { randomKey, room } from "./samples.ts";

/** One message on its way to a room. The same (key, sender, clientMessageId) always comes with the same rest. */
export interface AppendMessage {
  key: number;
  sender: string;
  clientMessageId: string;
  digest: number;
  text: string;
}

/** An append loop under test, the only thing of its kind on its store. */
export interface Writer {
  /**
   * Stores the message at the room's next number, or finds it there. Rejects with StoreUnavailable when it gave up:
   * then the property sends the message again, through either writer, as clients do.
   */
  send(message: AppendMessage): Promise<{ seq: number; duplicate: boolean }>;
}

const aMessage = fc.record({
  room: fc.nat(2),
  sender: fc.constantFrom("ada", "bob"),
  // Few ids, so that many messages are repeats.
  id: fc.nat(30),
  writer: fc.nat(1),
});

/**
 * [R2] [R3] as a property of an append loop: two writers made by `makeWriter` send the same and different messages to
 * the same rooms, all at once, on stores that fail at random points. Afterwards every log is numbered without a hole,
 * has each message once, and every acknowledged seq is where its message is. Throws with the smallest case found.
 */
export async function appendProperty(
  makeWriter: (store: Store) => Writer,
  open: () => Promise<Store> = () => openStore("sqlite::memory:"),
  numRuns = 100,
): Promise<void> {
  const store = await open();
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(aMessage, { minLength: 1, maxLength: 60 }), fc.integer(), async (plan, seed) => {
        const rooms = [0, 1, 2].map(() => room(`append-${randomKey()}`));
        await Promise.all(rooms.map((record) => store.rooms.create(record)));
        const writers = [makeWriter(flakyStore(store, seed)), makeWriter(flakyStore(store, seed + 1))];
        const sent = plan.map((p) => ({
          key: rooms[p.room]!.key,
          sender: p.sender,
          clientMessageId: `m-${p.id}`,
          digest: p.id,
          text: `message ${p.id}`,
        }));
        const acknowledged = await Promise.all(
          sent.map((message, i) => sendUntilAcknowledged(writers, plan[i]!.writer, message)),
        );
        for (const { key } of rooms) {
          const mine = sent.flatMap((message, i) => (message.key === key ? [{ ...message, ...acknowledged[i]! }] : []));
          await checkLog(store, key, mine);
        }
      }),
      { numRuns },
    );
  } finally {
    await store.close();
  }
}

async function sendUntilAcknowledged(
  writers: Writer[],
  first: number,
  message: AppendMessage,
): Promise<{ seq: number; duplicate: boolean }> {
  for (let attempt = first; ; attempt++) {
    try {
      return await writers[attempt % writers.length]!.send(message);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
    }
  }
}

async function checkLog(
  store: Store,
  key: number,
  acknowledged: (AppendMessage & { seq: number; duplicate: boolean })[],
): Promise<void> {
  const idOf = (m: { sender: string; clientMessageId: string }): string => `${m.sender}/${m.clientMessageId}`;
  const distinct = new Set(acknowledged.map(idOf));
  const [head] = await store.log.heads([key]);
  const bodies = await store.log.readAfter(key, 0, 1_000);
  const numbers = Array.from({ length: distinct.size }, (_, i) => i + 1);
  assert.deepEqual(
    bodies.map((row) => row.seq),
    numbers,
    "[R2] numbered 1, 2, 3 … with no hole, each message once",
  );
  assert.deepEqual(head, { seq: distinct.size, count: distinct.size, start: 1 });
  const entries = await Promise.all(numbers.map((seq) => store.log.get(key, seq)));
  assert.deepEqual(
    entries.map((e) => e?.count),
    numbers,
    "each entry carries the count of messages up to it",
  );
  for (const message of acknowledged) {
    const entry = entries[message.seq - 1]!;
    assert.equal(idOf(entry), idOf(message), "[R3] the acknowledged seq is the message's");
    assert.equal(entry.digest, message.digest);
  }
  for (const id of distinct) {
    const firsts = acknowledged.filter((message) => idOf(message) === id && !message.duplicate);
    assert.ok(firsts.length <= 1, `[R3] ${id} was new ${firsts.length} times`);
  }
}
