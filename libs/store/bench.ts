/**
 * What an append costs: `node libs/store/bench.ts [messages per case] [rooms] [batch]`.
 *
 * CPU is that of the whole process (both threads, kernel time too) for the appends alone; making the entries is measured
 * apart and taken off. Each case goes through a file which holds what the cases before it wrote.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { entry, randomKey, room } from "./src/contract/samples.ts";
import { openStore, type RoomAppend, type Store } from "./src/index.ts";

const perCase = Number(process.argv[2] ?? 50_000);
const folder = mkdtempSync(join(tmpdir(), "parley-store-bench-"));
const senders = 10;

interface Log {
  key: number;
  seq: number;
}

let made = 0;

/** `batch` entries, spread evenly over as many of the rooms as there are, or as it has entries. */
function nextBatch(logs: Log[], batch: number, from: number): RoomAppend[] {
  const used = Math.min(batch, logs.length);
  const appends: RoomAppend[] = [];
  for (let i = 0; i < used; i++) {
    const log = logs[(from + i) % logs.length]!;
    const size = Math.floor(batch / used) + (i < batch % used ? 1 : 0);
    const entries = Array.from({ length: size }, () => {
      const seq = ++log.seq;
      const sender = `guest-abcdefgh${made % senders}`;
      const clientMessageId = `${Math.random().toString(36).slice(2)}-${++made}`;
      const body = `{"seq":${seq},"kind":"message","sender":{"id":"${sender}","name":"Ada Lovelace"},"text":"hello there, this is message number ${made}","data":null,"replyTo":null,"at":"2026-11-21T10:00:00.000Z","clientMessageId":"${clientMessageId}"}`;
      return entry(seq, { sender, clientMessageId, body });
    });
    appends.push({ key: log.key, entries });
  }
  return appends;
}

const cpuUs = (): number => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

async function measure(store: Store, rooms: number, batch: number): Promise<void> {
  const logs = Array.from({ length: rooms }, () => ({ key: randomKey(), seq: 0 }));
  await Promise.all(logs.map(({ key }) => store.rooms.create(room(`bench-${key}`, { key }))));
  const batches = Math.ceil(Math.min(perCase, batch === 1 ? 5_000 : perCase) / batch);
  let generatingUs = 0;
  const waits: number[] = [];
  const begunUs = cpuUs();
  const begun = performance.now();
  for (let i = 0; i < batches; i++) {
    const before = cpuUs();
    const appends = nextBatch(logs, batch, i * batch);
    generatingUs += cpuUs() - before;
    const asked = performance.now();
    const outcomes = await store.log.append(appends);
    waits.push(performance.now() - asked);
    if (outcomes.includes("conflict")) throw new Error("a conflict with nobody");
  }
  const messages = batches * batch;
  const usedUs = cpuUs() - begunUs - generatingUs;
  waits.sort((a, b) => a - b);
  const at = (share: number): string => `${waits[Math.floor(waits.length * share)]!.toFixed(2)} ms`;
  console.log(
    [
      `${rooms} rooms`.padStart(10),
      `batches of ${batch}`.padStart(15),
      `${(usedUs / messages).toFixed(1)} µs CPU a message`.padStart(26),
      `${Math.round((messages / (performance.now() - begun)) * 1_000)}/s`.padStart(10),
      `p50 ${at(0.5)}, p99 ${at(0.99)}`,
    ].join("  "),
  );
}

const store = await openStore(`sqlite:${join(folder, "parley.db")}`);
try {
  for (const rooms of process.argv[3] ? [Number(process.argv[3])] : [1, 50, 1_000]) {
    for (const batch of process.argv[4] ? [Number(process.argv[4])] : [1, 10, 100, 500])
      await measure(store, rooms, batch);
  }
} finally {
  await store.close();
  rmSync(folder, { recursive: true });
}
