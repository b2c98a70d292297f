import assert from "node:assert/strict";
import test from "node:test";
import { type Bus, ByteWriter, type ChatAsk, epochTag, writeEntryRecord } from "@parley/bus";
import fc from "fast-check";
import { createHub, type HubRoom } from "../src/hub.ts";
import type { Link, Session } from "../src/session.ts";

const key = 123_456_789_012;

const recordsOf = (seqs: number[]): Uint8Array => {
  const writer = new ByteWriter();
  for (const seq of seqs) writeEntryRecord(writer, epochTag(key), seq, "", "{}");
  return writer.take();
};

/**
 * A hub whose bus loses, repeats and reorders as the plan says, beside a store that has every entry. The transport is a
 * list: who listens to a room gets what the hub publishes.
 */
function world() {
  let deliver: (payload: Uint8Array) => void = () => {};
  let stored = 0;
  const listening = new Map<Session, number[]>();
  const bus = {
    nc: {
      subscribe: (
        _subject: string,
        { callback }: { callback: (error: null, msg: { data: Uint8Array; subject: string }) => void },
      ) => {
        deliver = (data) => callback(null, { data, subject: "parley.room.r.worker" });
        return { unsubscribe: () => {} };
      },
    },
  } as unknown as Bus;
  const seqOf = (frame: Uint8Array | string) => Number(/^(\d+),/.exec(Buffer.from(frame).toString("utf8"))?.[1]);
  const hub = createHub({
    bus,
    publish: (_room, frame) => {
      for (const heard of listening.values()) heard.push(seqOf(frame));
    },
    ask: async (_partition, request: ChatAsk) => {
      await null;
      if (request.kind === "heads") return { kind: "json", json: JSON.stringify([[key, stored]]) };
      if (request.kind !== "fill") throw new Error(`asked for ${request.kind}`);
      // A page of three, so that gaps take several.
      const seqs = Array.from({ length: Math.min(3, stored - request.after) }, (_, i) => request.after + 1 + i);
      return { kind: "bytes", bytes: recordsOf(seqs) };
    },
    sessionById: () => undefined,
    sessionsOf: () => [],
    listening: () => {},
    timer: () => {},
    onError: (error) => assert.fail(String(error)),
  });
  const join = (): { session: Session; from: number; heard: number[] } => {
    const heard: number[] = [];
    const link: Partial<Link> = {
      flush: () => {},
      send: (frame) => void heard.push(seqOf(frame)),
      listen: () => void listening.set(session, heard),
      unlisten: () => void listening.delete(session),
    };
    const session = { id: "s", link, stage: "registered", rooms: new Map<string, HubRoom>() } as unknown as Session;
    const room = hub.open("room");
    // The answer may be older than what has gone out since, or newer.
    const from = stored;
    queueMicrotask(() => hub.enter(room, session, key, from));
    return { session, from, heard };
  };
  return {
    hub,
    join,
    store: (count: number) => {
      stored += count;
      return Array.from({ length: count }, (_, i) => stored - count + 1 + i);
    },
    deliver: (seqs: number[]) => deliver(recordsOf(seqs)),
    stored: () => stored,
  };
}

const settle = async () => {
  for (let i = 0; i < 60; i++) await new Promise((resolve) => setImmediate(resolve));
};

const aStep = fc.oneof(
  fc.record({ do: fc.constant("join" as const) }),
  fc.record({ do: fc.constant("compare" as const) }),
  fc.record({
    do: fc.constant("write" as const),
    count: fc.integer({ min: 1, max: 5 }),
    // Which of the new entries arrive, and in what order; others are lost, some come twice.
    arrive: fc.array(fc.nat(4), { maxLength: 8 }),
  }),
);

test("[R5] whatever is lost, repeated or late on the way: each listener gets all after its head, in order, each once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(aStep, { maxLength: 20 }), async (steps) => {
      const { hub, join, store, deliver, stored } = world();
      const joined = [join()];
      await settle();
      for (const step of steps) {
        if (step.do === "join") joined.push(join());
        else if (step.do === "compare") void hub.compareHeads();
        else {
          const seqs = store(step.count);
          for (const i of step.arrive) if (i < seqs.length) deliver([seqs[i] as number]);
        }
        if (steps.length % 2 === 0) await settle();
      }
      await settle();
      await hub.compareHeads();
      await settle();
      for (const { from, heard } of joined)
        assert.deepEqual(
          heard,
          Array.from({ length: stored() - from }, (_, i) => from + 1 + i),
        );
    }),
    { numRuns: 150 },
  );
});
