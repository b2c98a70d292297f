import assert from "node:assert/strict";
import test from "node:test";
import { Refusal } from "@parley/protocol";
import { type RoomLog, type Store, StoreUnavailable } from "@parley/store";
import { appendProperty, type Writer } from "@parley/store/contract";
import { type Appender, createAppender, createLane, type Lane } from "../src/append.ts";
import type { Draft } from "../src/entry.ts";

const draft = (sender: string, clientMessageId: string, text: string, digest: number): Draft => ({
  kind: "message",
  sender,
  senderJson: JSON.stringify({ id: sender, name: sender }),
  clientMessageId,
  digest,
  target: null,
  fieldsJson: `"text":${JSON.stringify(text)},"data":null,"replyTo":null`,
});

interface Told {
  key: number;
  seq: number;
}

function appenderOn(log: RoomLog): { appender: Appender<Lane>; told: Told[]; toldAgain: Told[] } {
  const told: Told[] = [];
  const toldAgain: Told[] = [];
  const appender = createAppender<Lane>({
    log,
    publish: (lane, entries) => told.push(...entries.map(({ seq }) => ({ key: lane.key, seq }))),
    republish: (lane, seq) => toldAgain.push({ key: lane.key, seq }),
  });
  return { appender, told, toldAgain };
}

/** The chat worker's own append loop as the store's property wants it. */
function writerOn(store: Store): Writer {
  const { appender } = appenderOn(store.log);
  const lanes = new Map<number, Lane>();
  return {
    async send({ key, sender, clientMessageId, digest, text }) {
      const lane = lanes.get(key) ?? createLane(key, null);
      lanes.set(key, lane);
      try {
        return await appender.append(lane, draft(sender, clientMessageId, text, digest));
      } catch (error) {
        if (error instanceof Refusal && error.code === "unavailable") throw new StoreUnavailable("gave up");
        throw error;
      }
    },
  };
}

test("[R2] [R3] two writers on the same rooms and a store that fails at random points: no hole, no repeat", async () => {
  await appendProperty(writerOn);
});

/** A log whose appends are answered by hand. */
function pumpedLog() {
  const calls: { seqs: number[]; answer: (outcome: "appended" | "conflict") => void; fail: () => void }[] = [];
  const log = {
    append: (appends: { entries: { seq: number }[] }[]) =>
      new Promise((resolve, reject) =>
        calls.push({
          seqs: appends.flatMap(({ entries }) => entries.map(({ seq }) => seq)),
          answer: (outcome) => resolve(appends.map(() => outcome)),
          fail: () => reject(new StoreUnavailable("away")),
        }),
      ),
    heads: async () => [{ seq: 0, count: 0, start: 1 }],
    find: async (_key: number, ids: unknown[]) => ids.map(() => null),
  } as unknown as RoomLog;
  return { log, calls };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("[R4] what comes while an append is under way waits and shares the next one, in its order", async () => {
  const { log, calls } = pumpedLog();
  const { appender, told } = appenderOn(log);
  const lane = createLane(1, { seq: 0, count: 0, start: 1 });
  const first = appender.append(lane, draft("ada", "1", "a", 1));
  await turn();
  const rest = ["2", "3", "4"].map((id) => appender.append(lane, draft("ada", id, id, Number(id))));
  await turn();
  assert.deepEqual(
    calls.map(({ seqs }) => seqs),
    [[1]],
  );
  calls[0]?.answer("appended");
  assert.equal((await first).seq, 1);
  await turn();
  assert.deepEqual(calls[1]?.seqs, [2, 3, 4]);
  assert.deepEqual(
    told.map(({ seq }) => seq),
    [1],
    "nothing is told before it is stored",
  );
  calls[1]?.answer("appended");
  assert.deepEqual(
    (await Promise.all(rest)).map(({ seq }) => seq),
    [2, 3, 4],
  );
  assert.deepEqual(
    told.map(({ seq }) => seq),
    [1, 2, 3, 4],
  );
  assert.equal(appender.pending(), 0);
});

test("[R4] what waits behind an append that fails is refused with it, and never stored before it", async () => {
  const { log, calls } = pumpedLog();
  const { appender } = appenderOn(log);
  const lane = createLane(1, { seq: 0, count: 0, start: 1 });
  const codeOf = (sent: Promise<unknown>) => sent.then(() => "stored").catch((error: Refusal) => error.code);
  const first = codeOf(appender.append(lane, draft("ada", "1", "a", 1)));
  await turn();
  const second = codeOf(appender.append(lane, draft("ada", "2", "b", 2)));
  calls[0]?.fail();
  assert.deepEqual([await first, await second], ["unavailable", "unavailable"]);
  const again = appender.append(lane, draft("ada", "1", "a", 1));
  for (let i = 0; i < 4; i++) await turn();
  calls[1]?.answer("appended");
  assert.equal((await again).seq, 1);
  assert.equal(calls.length, 2);
});

test("[R3] a repeat within one batch is answered with the first seq, once that is stored; another body is a conflict", async () => {
  const { log, calls } = pumpedLog();
  const { appender } = appenderOn(log);
  const lane = createLane(1, { seq: 7, count: 7, start: 1 });
  const answers = Promise.allSettled([
    appender.append(lane, draft("ada", "1", "a", 1)),
    appender.append(lane, draft("ada", "1", "a", 1)),
    appender.append(lane, draft("ada", "1", "b", 2)),
    appender.append(lane, draft("bob", "1", "a", 1)),
  ]);
  await turn();
  calls[0]?.answer("appended");
  await turn();
  const [one, again, other, bobs] = await answers;
  assert.deepEqual(one?.status === "fulfilled" && [one.value.seq, one.value.duplicate], [8, false]);
  assert.deepEqual(again?.status === "fulfilled" && [again.value.seq, again.value.duplicate], [8, true]);
  assert.equal(other?.status === "rejected" && (other.reason as Refusal).code, "conflict");
  assert.deepEqual(bobs?.status === "fulfilled" && bobs.value.seq, 9, "ids are each sender's own");
});

test("an append that loses every race is refused as unavailable, and the lane goes on", async () => {
  const { log, calls } = pumpedLog();
  const { appender } = appenderOn(log);
  const lane = createLane(1, { seq: 0, count: 0, start: 1 });
  const lost = appender.append(lane, draft("ada", "1", "a", 1)).catch((error: Refusal) => error.code);
  let answered = 0;
  let code: unknown;
  void lost.then((value) => {
    code = value;
  });
  while (code === undefined) {
    await turn();
    if (answered < calls.length) calls[answered++]?.answer("conflict");
  }
  assert.equal(code, "unavailable");
  const next = appender.append(lane, draft("ada", "2", "b", 2));
  for (let i = 0; i < 4; i++) await turn();
  calls[calls.length - 1]?.answer("appended");
  assert.equal((await next).seq, 1);
});

test("[R3] a repeat that another writer stored between the reading of the head and the look-up is answered", async () => {
  const log = {
    heads: async () => [{ seq: 0, count: 0, start: 1 }],
    find: async () => [{ seq: 1, digest: 1, atMs: 5 }],
  } as unknown as RoomLog;
  const { appender, toldAgain } = appenderOn(log);
  const appended = await appender.append(createLane(1, null), draft("ada", "1", "a", 1));
  assert.deepEqual(appended, { seq: 1, atMs: 5, duplicate: true });
  assert.deepEqual(toldAgain, [{ key: 1, seq: 1 }], "its writer may have died before it could tell it");
});
