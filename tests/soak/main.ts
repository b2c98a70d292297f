// The long soak: `npm run pnpm -- --filter @parley/tests soak 10` (minutes; 10 unless given). Prints what memory does.
import { type Sample, soak } from "./soak.ts";

const minutes = Number(process.argv[2] ?? 10);
if (!(minutes > 0)) throw new Error("give the minutes as a number: soak 10");

const steps: (() => Promise<void> | void)[] = [];
const row = ({ atSeconds, clientHeap, clientResident, gateways, sent, cuts }: Sample) =>
  [atSeconds, clientHeap, clientResident, ...gateways, sent, cuts].join("\t");
console.log(["s", "heap", "clients", "gateway 1", "gateway 2", "sent", "cuts"].join("\t"));
try {
  const result = await soak(
    { after: (step) => void steps.unshift(step) },
    { durationMs: minutes * 60_000, sampleEveryMs: 15_000, onSample: (sample) => console.log(row(sample)) },
  );
  console.log(`${result.sent} messages to 20 clients over ${result.cuts} cuts; faults: ${result.faults.length}`);
  for (const fault of result.faults.slice(0, 20)) console.log(fault);
  process.exitCode = result.faults.length > 0 ? 1 : 0;
} finally {
  for (const step of steps) await step();
}
