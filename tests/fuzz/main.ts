// `npm run fuzz -- 1000000 [seed]`: as many frames to a Parley of its own, and as many messages to the bus' decoders.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { startStack } from "@parley/local";
import { fuzzBus, fuzzFrames, fuzzSettings } from "./run-fuzz.ts";

const [frames = 1_000_000, seed = Math.floor(Date.now() / 1_000)] = process.argv.slice(2).map(Number);
if (!(frames > 0) || !Number.isSafeInteger(seed)) throw new Error("npm run fuzz -- <frames> [seed]");
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
const memory = () =>
  stack
    .rows()
    .map(({ service, instance, pid }) => {
      const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
      return `${service} ${instance} ${Math.round(Number(kib) / 1024)} MiB`;
    })
    .join(", ");
try {
  const gateways = stack.rows().filter(({ service }) => service === "gateway");
  const urls = gateways.map(({ ports }) => `ws://127.0.0.1:${ports.public}/ws`);
  const startMs = Date.now();
  let told = 0;
  const report = await fuzzFrames({
    ...{ urls, frames, seed, connections: 16 },
    progress: (answered) => {
      if (answered - told < frames / 10) return;
      told = answered;
      console.log(`${answered} frames; ${memory()}`);
    },
  });
  console.log(`${JSON.stringify(report)} in ${Math.round((Date.now() - startMs) / 1000)} s; ${memory()}`);
  fuzzBus(frames, seed);
  console.log(`${frames} messages of the bus: each refused or read`);
  const restarted = stack.rows().filter(({ service, instance }) => stack.restarts(service, instance) > 0);
  if (restarted.length > 0) throw new Error(`restarted: ${JSON.stringify(restarted)}`);
} finally {
  await stack.stop();
  rmSync(stateDir, { recursive: true, force: true });
}
