import type { UpdateFilter } from "mongodb";
import type { RoomLog } from "../room-log.ts";
import type { MongoConnection } from "./connection.ts";
import { logWriter } from "./log-writer.ts";
import type { Records } from "./records.ts";
import { cut, factsOf, idText, type Segment, segmentId, segmentRange } from "./segment.ts";
import type { Segments } from "./segments.ts";

export interface LogDeps {
  connection: MongoConnection;
  segments: Segments;
  records: Records;
  roomExists(key: number): Promise<boolean>;
}

/** An end stays for so long after its room: longer than any writer that believes in the room. */
const endLifeMs = 24 * 3_600_000;

/** RoomLog over MongoDB, and what becomes of the log of a room that is gone. */
export function mongoLog({ connection, segments, records, roomExists }: LogDeps) {
  const { call } = connection;

  /**
   * Blanks what an append says, one segment after another. It is in the log already, so whoever finds it undone (the
   * writer was killed) does it: the next to write to the room, to ask for its head, or the sweeper.
   */
  async function redact({ _id, key, redact: list = [] }: Pick<Segment, "_id" | "key" | "redact">): Promise<void> {
    for (const { seq, body } of list) {
      for (let done = false; !done; ) {
        const segment = await segments.floor(key, seq);
        if (segment === null || seq < segment.from || seq > segment.last || segment.end) break;
        const change = {
          $set: { [`bodies.${seq - segment.from}`]: body },
          $addToSet: { deleted: seq },
          $inc: { rev: 1 },
        } as UpdateFilter<Segment>;
        // The place holds as long as retention has not cut the segment.
        done = (await records.update(segments.of(key), segment._id, { from: segment.from }, change)) !== null;
      }
    }
    if (_id === "") return;
    await records.update(segments.of(key), _id, {}, {
      $unset: { redact: "" },
      $inc: { rev: 1 },
    } as UpdateFilter<Segment>);
  }

  const writer = logWriter({ connection, segments, roomExists, redact });

  async function trim(key: number, keepFromSeq: number, limit: number): Promise<number> {
    const { seq, start } = await segments.head(key);
    const to = Math.min(keepFromSeq, seq, start + limit);
    if (to <= start) return 0;
    // By `_id`, so that the oldest go first: what is left has no hole, whenever this stops.
    await segments.of(key).deleteMany({ _id: { $gte: segmentId(key, 0), $lt: segmentId(key, to) }, last: { $lt: to } });
    const straddling = await segments.floor(key, to);
    if (straddling !== null && straddling.from < to && to <= straddling.last) {
      await records.decide(segments.of(key), straddling._id, (before) => {
        if (before === null || before.from >= to) return "keep";
        const { _id, rev, ...rest } = cut(before, to);
        return rest;
      });
    }
    return to - start;
  }

  const log: RoomLog = {
    append: (appends) => call(() => writer.append(appends)),
    heads: (keys) =>
      call(() =>
        Promise.all(
          keys.map(async (key) => {
            const newest = await segments.newest(key);
            if (newest?.redact) await redact({ ...newest, key });
            return segments.head(key, newest);
          }),
        ),
      ),
    readAfter: (key, after, limit) => call(() => segments.readAfter(key, after, limit)),
    readBefore: (key, before, limit) => call(() => segments.readBefore(key, before, limit)),
    get: (key, seq) => call(() => segments.get(key, seq)),
    find: (key, ids) =>
      call(async () => {
        const texts = ids.map(({ sender, clientMessageId }) => idText(sender, clientMessageId));
        const found = texts.length === 0 ? [] : await segments.withIds(key, texts);
        const byId = new Map(found.flatMap((segment) => factsOf(segment).map((fact, i) => [segment.ids[i], fact])));
        return texts.map((text) => {
          const fact = byId.get(text);
          return fact === undefined ? null : { seq: fact.seq, digest: fact.digest, atMs: fact.atMs };
        });
      }),
    editsOf: (key, target) => call(() => segments.withEditsOf(key, target)),
    trim: (key, keepFromSeq, limit) => call(() => trim(key, keepFromSeq, limit)),
    firstSince: (key, atMs) =>
      call(async () => (await segments.firstSince(key, atMs)) ?? (await segments.head(key)).seq + 1),
  };

  return {
    log,

    /** Ends the log of a room that is gone, so that nobody writes to it again. */
    end: (key: number): Promise<void> => writer.end(key, new Date(Date.now() + endLifeMs)),

    /** Removes all of a log but its end. */
    async purge(key: number): Promise<void> {
      await segments.of(key).deleteMany({ _id: segmentRange(key), end: { $exists: false } });
    },

    /** Finishes blankings that a killed writer left, and removes ends that no server's TTL index has taken. */
    async sweep(nowMs: number): Promise<void> {
      for (const collection of segments.collections) {
        const undone = await collection
          .find({ redact: { $exists: true } }, { projection: { key: 1, redact: 1 } })
          .limit(100)
          .toArray();
        for (const segment of undone) await redact(segment);
        await collection.deleteMany({ expireAt: { $lt: new Date(nowMs) } });
      }
    },
  };
}

export type MongoLog = ReturnType<typeof mongoLog>;
