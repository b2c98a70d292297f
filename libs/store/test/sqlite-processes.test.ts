import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openStore, type Store } from "../src/index.ts";
import { freshFile, makeRooms } from "./fresh-file.ts";

const script = fileURLToPath(new URL("append-forever.ts", import.meta.url));

interface Acknowledged {
  key: number;
  seq: number;
  sender: string;
  clientMessageId: string;
}

/** A child that appends until it is killed; `acknowledged` grows meanwhile. */
function appender(t: TestContext, url: string, writer: string, keys: number[], acknowledged: Acknowledged[]) {
  const child = spawn(process.execPath, [script, url, writer, keys.join(",")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => kill(child));
  const lines = createInterface({ input: child.stdout });
  const { promise: started, resolve } = Promise.withResolvers<void>();
  lines.on("line", (line) => {
    if (line === "ready") return resolve();
    const [key, seq, clientMessageId] = line.split(" ") as [string, string, string];
    acknowledged.push({ key: Number(key), seq: Number(seq), sender: writer, clientMessageId });
  });
  return { child, started, drained: once(lines, "close") };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function checkLogs(store: Store, keys: number[], acknowledged: Acknowledged[]): Promise<void> {
  for (const key of keys) {
    const mine = acknowledged.filter((ack) => ack.key === key);
    const found = await store.log.find(key, mine);
    assert.deepEqual(
      found.map((row) => row?.seq),
      mine.map((ack) => ack.seq),
      "[R1] all that was acknowledged is in the file, where it was said to be",
    );
    const [head] = await store.log.heads([key]);
    const rows = await store.log.readAfter(key, 0, 1_000_000);
    assert.deepEqual(
      rows.map((row) => row.seq),
      Array.from({ length: head!.seq }, (_, i) => i + 1),
      "[R2] no holes",
    );
  }
}

test("[R1] [R2] what a process killed with SIGKILL had acknowledged is in the file, without holes", async (t) => {
  const url = await freshFile(t);
  const store = await openStore(url);
  t.after(() => store.close());
  const keys = await makeRooms(store, 5);
  const acknowledged: Acknowledged[] = [];
  for (let round = 1; round <= 3; round++) {
    const target = acknowledged.length + 3_000 + Math.floor(Math.random() * 500);
    const { child, started, drained } = appender(t, url, `writer-${round}`, keys, acknowledged);
    await started;
    await until(() => acknowledged.length >= target);
    await kill(child);
    await drained;
    await checkLogs(store, keys, acknowledged);
  }
});

test("[R2] two processes writing the same rooms leave no hole and lose nothing, one of them killed", async (t) => {
  const url = await freshFile(t);
  const store = await openStore(url);
  t.after(() => store.close());
  const keys = await makeRooms(store, 3);
  const one: Acknowledged[] = [];
  const two: Acknowledged[] = [];
  const children = [appender(t, url, "one", keys, one), appender(t, url, "two", keys, two)] as const;
  await until(() => one.length >= 1_000 && two.length >= 1_000);
  await kill(children[0].child);
  const then = two.length;
  await until(() => two.length >= then + 500);
  await kill(children[1].child);
  await Promise.all(children.map(({ drained }) => drained));
  await checkLogs(store, keys, [...one, ...two]);
});

test("processes that open a new file at the same moment do not clash", async (t) => {
  const url = await freshFile(t);
  const children = [1, 2, 3].map((n) => appender(t, url, `w${n}`, [1], []));
  await Promise.all(children.map(({ started }) => started));
});
