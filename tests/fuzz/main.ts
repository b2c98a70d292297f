// `npm run fuzz -- 1000000 [seed]`: as many frames to a Parley of its own, and as many messages to the bus' decoders.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { startStack } from "@parley/local";
import { judgeMemory } from "./judge-memory.ts";
import { fuzzBus, fuzzFrames, fuzzSettings } from "./run-fuzz.ts";

const [frames = 1_000_000, seed = Math.floor(Date.now() / 1_000)] = process.argv.slice(2).map(Number);
if (!(frames > 0) || !Number.isSafeInteger(seed)) {
  console.error("npm run fuzz -- [frames] [seed]: both whole numbers; 1000000 frames and a new seed unless given");
  process.exit(2);
}
const stateDir = mkdtempSync(join(tmpdir(), "parley-fuzz-"));
console.log(`seed ${seed}`);
const stack = await startStack({
  ...{
    checkoutDir: resolve(import.meta.dirname, "../.."),
    stateDir,
    anyPorts: true,
    loadTest: true,
    env: fuzzSettings,
  },
  instances: { gateway: 2, chat: 2, presence: 1, timer: 1, notify: 1, sms: 0 },
  announce: (line) => console.log(line),
  onLine: () => {},
});
const labelled = ({ service, instance }: { service: string; instance: number }) => `${service} ${instance}`;
/** Resident memory of every process in MiB, and of the gateways the heap they use, as their metrics tell it. */
const memory = async (): Promise<Map<string, number>> => {
  const all = new Map<string, number>();
  for (const process of stack.rows()) {
    const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${process.pid}/status`, "utf8"))?.[1];
    all.set(labelled(process), Math.round(Number(kib) / 1024));
    if (process.service !== "gateway") continue;
    const text = await (await fetch(`http://127.0.0.1:${process.ports.metrics}/metrics`)).text();
    const bytes = Number(/^nodejs_heap_size_used_bytes(?:{[^}]*})? (\S+)/m.exec(text)?.[1]);
    all.set(`${labelled(process)} heap`, Math.round(bytes / 2 ** 20));
  }
  return all;
};
try {
  const gateways = stack.rows().filter(({ service }) => service === "gateway");
  const urls = gateways.map(({ ports }) => `ws://127.0.0.1:${ports.public}/ws`);
  const startMs = Date.now();
  const samples: Map<string, number>[] = [];
  const report = await fuzzFrames({
    ...{ urls, frames, seed, connections: 16 },
    progress: async (answered) => {
      const now = await memory();
      samples.push(now);
      const text = Array.from(now, ([name, mib]) => `${name} ${mib}`).join(", ");
      const share = String(Math.round((answered * 100) / frames)).padStart(3);
      console.log(`${share} %, ${answered} frames, ${Math.round((Date.now() - startMs) / 1000)} s; MiB: ${text}`);
    },
  });
  console.log(`${JSON.stringify(report)} in ${Math.round((Date.now() - startMs) / 1000)} s`);
  const grown = judgeMemory(samples);
  for (const { name, first, last } of grown)
    console.log(`${name}: ${first} MiB in the first third after warming up, ${last} in the last`);
  fuzzBus(frames, seed);
  console.log(`${frames} messages of the bus: each refused or read`);
  const restarted = stack.rows().filter(({ service, instance }) => stack.restarts(service, instance) > 0);
  const swollen = grown.filter(({ flat }) => !flat);
  if (swollen.length > 0) throw new Error(`memory is not flat: ${swollen.map(({ name }) => name).join(", ")}`);
  if (restarted.length > 0) throw new Error(`restarted: ${JSON.stringify(restarted)}`);
} finally {
  await stack.stop();
  rmSync(stateDir, { recursive: true, force: true });
}
