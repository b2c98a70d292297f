import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Entry } from "@parley/protocol";
import { waitFor } from "../support/wait-for.ts";
import { connectTestClient } from "../support/websocket-client.ts";
import type { Acknowledged } from "./publisher.ts";
import type { Reader } from "./reader.ts";

/** The whole log of each room, read from the store through `History`. */
export async function readLogs(url: string, rooms: readonly string[]): Promise<Map<string, Entry[]>> {
  const client = await connectTestClient(url);
  await client.registerGuest();
  const logs = new Map<string, Entry[]>();
  for (const room of rooms) {
    const log: Entry[] = [];
    for (let more = true; more; ) {
      const reply = await client.send("History", { room, after: log.at(-1)?.seq ?? 0, limit: 200 });
      if (reply.code === "rate_limited") {
        await sleep(reply.retryAfterMs);
        continue;
      }
      assert.equal(reply.error, null);
      const page = reply.data as { entries: Entry[]; more: boolean };
      log.push(...page.entries);
      more = page.more;
    }
    logs.set(room, log);
  }
  await client.close();
  return logs;
}

/**
 * Compares three views of the rooms: what the store has, what senders were told, what readers heard. `sent` has each
 * publisher's messages in the order of sending; nothing else may have been sent.
 */
export async function checkLogs(
  url: string,
  rooms: readonly string[],
  sent: readonly (readonly Acknowledged[])[],
  readers: readonly Reader[],
): Promise<void> {
  const logs = await readLogs(url, rooms);
  const all = sent.flat();
  for (const [room, log] of logs) {
    const seqs = log.map(({ seq }) => seq);
    assert.deepEqual(
      seqs,
      [...seqs.keys()].map((i) => i + 1),
      `[R2] ${room} is numbered 1, 2, 3 …`,
    );
    const ids = log.map(({ clientMessageId }) => clientMessageId);
    assert.equal(new Set(ids).size, ids.length, `[R3] nothing is stored twice in ${room}`);
  }
  for (const { room, seq, clientMessageId } of all) {
    const stored = logs.get(room)!.at(seq - 1)?.clientMessageId;
    assert.equal(stored, clientMessageId, `[R1] what was acknowledged as seq ${seq} of ${room} is stored there`);
  }
  const stored = [...logs.values()].reduce((sum, log) => sum + log.length, 0);
  assert.equal(stored, all.length, "each message is stored once, and nothing that nobody sent");
  checkOrderOfSenders(sent);

  for (const [which, reader] of readers.entries()) {
    for (const [room, log] of logs) {
      await waitFor(`reader ${which} to hear all of ${room}`, () => reader.heard(room).length >= log.length, {
        timeoutMs: 30_000,
      }).catch((error) => assert.fail(`[R5] ${error.message}: heard ${reader.heard(room).length} of ${log.length}`));
      const ids = log.map(({ clientMessageId }) => clientMessageId);
      assert.deepEqual(reader.heard(room), ids, `[R5] reader ${which} heard ${room} once and in order`);
    }
    assert.deepEqual(reader.faults, [], `[R5] reader ${which} heard only what came next`);
  }
}

/** [R4] What a session sent to a room once, and was not told to repeat, is in the order of sending. */
function checkOrderOfSenders(sent: readonly (readonly Acknowledged[])[]): void {
  for (const own of sent) {
    const lastOf = new Map<string, number>();
    for (const { room, seq, firstTryOn, clientMessageId } of own) {
      if (firstTryOn === null) continue;
      const session = `${room} on connection ${firstTryOn}`;
      assert.ok(seq > (lastOf.get(session) ?? 0), `[R4] ${clientMessageId} comes after what its session sent before`);
      lastOf.set(session, seq);
    }
  }
}
