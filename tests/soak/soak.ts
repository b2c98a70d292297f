/** Clients on every way in, through proxies that cut them at random, for as long as wanted: what it showed. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { connect, type Parley, type Transport } from "@parley/client";
import { startProxy } from "../support/start-proxy.ts";
import { startTestStack, testStore } from "../support/start-stack.ts";
import type { Teardown } from "../support/teardown.ts";
import { waitFor } from "../support/wait-for.ts";

export interface SoakOptions {
  durationMs: number;
  sampleEveryMs: number;
  /** Told of each sample as it is taken. */
  onSample?: (sample: Sample) => void;
}

/** Memory in MiB: heap in use after a collection for the clients (all of them, one process), resident for each gateway. */
export interface Sample {
  atSeconds: number;
  clientHeap: number;
  clientResident: number;
  gateways: number[];
  sent: number;
  cuts: number;
}

export interface SoakResult {
  samples: Sample[];
  sent: number;
  cuts: number;
  /** What went wrong, in words; empty when every message arrived once and in order everywhere. */
  faults: string[];
}

const mib = (bytes: number) => Math.round(bytes / 1024 / 102.4) / 10;
const ways: readonly Transport[] = ["websocket", "websocket", "websocket", "sse", "poll"];
/** What may stand in for MongoDB reads a room's whole log for each client that comes back. */
const [clientCount, roomCount, sendEveryMs] = testStore() === "mongodb" ? [6, 2, 1_000] : [20, 4, 200];
const rooms = Array.from({ length: roomCount }, (_, i) => `soak-${i + 1}`);

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const residentMib = (pid: number) =>
  mib(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024);

export async function soak(
  teardown: Teardown,
  { durationMs, sampleEveryMs, onSample }: SoakOptions,
): Promise<SoakResult> {
  const stack = await startTestStack(teardown, { loadTest: true });
  const proxies = [await startProxy(teardown, stack.httpUrl(1)), await startProxy(teardown, stack.httpUrl(2))];
  const faults: string[] = [];
  const samples: Sample[] = [];
  let sent = 0;
  let cuts = 0;
  /** Set once all listen. */
  let endsAtMs = 0;

  const clients = Array.from({ length: clientCount }, (_, i): Parley => {
    const url = `${proxies[i % 2]!.url.replace("http", "ws")}/ws`;
    // As much as a page of a chat holds, so that memory has a bound to reach.
    const client = connect({ url, guest: { name: `soak ${i}` }, transports: [ways[i % ways.length]!], keep: 200 });
    teardown.after(() => client.close());
    return client;
  });

  /** Follows a room from its start: any repeat, hole or reset is a fault. */
  async function follow(client: Parley, name: string): Promise<() => number> {
    const room = client.room(name);
    let last = 0;
    room.on("message", ({ seq }) => {
      if (seq !== last + 1) faults.push(`${name}: ${seq} came after ${last}`);
      last = seq;
    });
    room.on("reset", () => faults.push(`${name} was reset`));
    await room.join({ since: 0 });
    return () => last;
  }

  /** Answers may overtake each other, messages not: each was stored behind all that were sent before it. */
  function placeIn(answered: { n: number; seq: number }[], one: { n: number; seq: number }, what: string) {
    const wrong = answered.find((other) => other.n < one.n !== other.seq < one.seq);
    if (wrong) faults.push(`${what}: ${one.n} is ${one.seq} and ${wrong.n} is ${wrong.seq}`);
    answered.push(one);
  }

  async function send(client: Parley, i: number) {
    await sleep(Math.random() * sendEveryMs);
    const seqsOf = new Map(rooms.map((room) => [room, [] as { n: number; seq: number }[]]));
    for (let n = 0; Date.now() < endsAtMs; n++) {
      const room = rooms[(i + n) % rooms.length]!;
      client
        .room(room)
        .send(`message ${n} of ${i}`)
        .then(
          ({ seq }) => {
            sent++;
            placeIn(seqsOf.get(room)!, { n, seq }, `${room}: ${i}'s messages changed places`);
          },
          (error: Error) => faults.push(`a send failed: ${error.message}`),
        );
      await sleep(sendEveryMs);
    }
  }

  async function cutAtRandom() {
    while (Date.now() < endsAtMs) {
      await sleep(500 + Math.random() * 3_000);
      proxies[Math.random() < 0.5 ? 0 : 1]!.cut();
      cuts++;
    }
  }

  async function sampleMemory() {
    for (let n = 1; Date.now() < endsAtMs; n++) {
      await sleep(Math.min(sampleEveryMs, Math.max(0, endsAtMs - Date.now())));
      collect();
      const { heapUsed, rss } = process.memoryUsage();
      const pids = stack.rows().flatMap(({ service, pid }) => (service === "gateway" && pid ? [pid] : []));
      const [clientHeap, clientResident, gateways] = [mib(heapUsed), mib(rss), pids.map(residentMib)];
      const sample = {
        atSeconds: Math.round((n * sampleEveryMs) / 1000),
        clientHeap,
        clientResident,
        gateways,
        sent,
        cuts,
      };
      samples.push(sample);
      onSample?.(sample);
    }
  }

  const positions = await Promise.all(clients.map((client) => Promise.all(rooms.map((room) => follow(client, room)))));
  endsAtMs = Date.now() + durationMs;
  await Promise.all([...clients.map(send), cutAtRandom(), sampleMemory()]);
  const pendingOf = (client: Parley) => rooms.flatMap((room) => client.room(room).snapshot().pending).length;
  await waitFor("everything to be acknowledged", () => clients.every((client) => pendingOf(client) === 0), {
    timeoutMs: 60_000,
  }).catch(() => {
    for (const [i, client] of clients.entries()) {
      const { state, transport, nextTryAtMs } = client.snapshot();
      if (pendingOf(client) > 0)
        faults.push(`${i} waits with ${pendingOf(client)}: ${[state, transport, nextTryAtMs].join(" ")}`);
    }
  });
  if (faults.length > 0) return { samples, sent, cuts, faults };
  const heads = rooms.map((_, r) => Math.max(...positions.map((each) => each[r]!())));
  await waitFor(
    "everybody to have everything",
    () => positions.every((each) => each.every((last, r) => last() === heads[r])),
    {
      timeoutMs: 60_000,
    },
  );
  const stored = heads.reduce((sum, head) => sum + head, 0);
  // What was heard need not be acknowledged yet: an answer that a cut took is asked for again.
  await waitFor("every acknowledgement", () => sent >= stored, { timeoutMs: 60_000 }).catch(() => {});
  if (stored !== sent) faults.push(`${sent} were acknowledged and ${stored} stored`);
  return { samples, sent, cuts, faults };
}
