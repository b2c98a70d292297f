/**
 * A process of its own for the tests: appends to rooms without end and prints what was acknowledged, a line each:
 * `key seq clientMessageId`. Arguments: store URL, writer's name, keys separated by commas.
 */
import { writeSync } from "node:fs";
import { openStore } from "../src/index.ts";

const [url, writer, keyList] = process.argv.slice(2) as [string, string, string];
const keys = keyList.split(",").map(Number);
// Folds often, so that a kill finds it at that too.
const store = await openStore(url, { sqlite: { foldBytes: 50_000, foldEntries: 20 } });
writeSync(1, "ready\n");

for (let n = 0; ; n++) {
  const heads = await store.log.heads(keys);
  const appends = keys.map((key, i) => ({
    key,
    entries: [1, 2].map((k) => ({
      seq: heads[i]!.seq + k,
      count: heads[i]!.count + k,
      kind: "message" as const,
      sender: writer,
      clientMessageId: `${writer}-${n}-${k}`,
      digest: n,
      atMs: Date.now(),
      target: null,
      body: JSON.stringify({ writer, n, k }),
    })),
  }));
  const outcomes = await store.log.append(appends);
  const lines = appends.flatMap(({ key, entries }, i) =>
    outcomes[i] === "appended" ? entries.map((e) => `${key} ${e.seq} ${e.clientMessageId}\n`) : [],
  );
  // Synchronous: what the parent reads was acknowledged, whatever kills this process next.
  writeSync(1, lines.join(""));
}
