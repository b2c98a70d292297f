import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import type { Worker } from "node:worker_threads";
import { entries, entry } from "../src/contract/samples.ts";
import { newUser, openStore, type Store, StoreUnavailable } from "../src/index.ts";
import { freshFile, makeRooms } from "./fresh-file.ts";

const pathOf = (url: string): string => url.slice("sqlite:".length);

async function open(t: TestContext, ...args: Parameters<typeof openStore>): Promise<Store> {
  const store = await openStore(...args);
  t.after(() => store.close());
  return store;
}

const bigBody = JSON.stringify({ text: "x".repeat(16_000) });

/** Appends big entries until the store refuses; answers the last seq that was taken. */
async function fill(store: Store, key: number): Promise<number> {
  for (let seq = 1; ; seq++) {
    try {
      assert.deepEqual(await store.log.append([{ key, entries: [entry(seq, { body: bigBody })] }]), ["appended"]);
    } catch (error) {
      assert.ok(error instanceof StoreUnavailable);
      assert.match(error.message, /full/);
      assert.ok(error.cause instanceof Error);
      return seq - 1;
    }
  }
}

test("disk full: appends are refused, reads go on, nothing is lost, and it goes on when there is room", async (t) => {
  const mount = mkdtempSync(join(tmpdir(), "parley-full-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", mount], { stdio: "ignore" });
  } catch {
    rmdirSync(mount);
    t.skip("needs the right to mount a small file system");
    return;
  }
  t.after(() => {
    execFileSync("umount", ["-l", mount]);
    rmdirSync(mount);
  });
  const balloon = join(mount, "balloon");
  writeFileSync(balloon, Buffer.alloc(1_000_000));
  const store = await open(t, `sqlite:${join(mount, "parley.db")}`);
  const [key] = (await makeRooms(store, 1)) as [number];
  const last = await fill(store, key);
  await assert.rejects(
    store.log.append([{ key, entries: [entry(last + 1, { body: bigBody })] }]),
    StoreUnavailable,
    "still full",
  );
  assert.equal((await store.log.heads([key]))[0]?.seq, last);
  assert.equal((await store.log.readAfter(key, 0, 1_000)).length, last);
  rmSync(balloon);
  await store.ping();
  assert.deepEqual(await store.log.append([{ key, entries: entries(last + 1, last + 3) }]), ["appended"]);
  assert.equal((await store.log.heads([key]))[0]?.seq, last + 3);
});

test("a file at its greatest size refuses with StoreUnavailable, and goes on once it may grow", async (t) => {
  const url = await freshFile(t);
  const small = await open(t, url, { sqlite: { maxPages: 200 } });
  const [key] = (await makeRooms(small, 1)) as [number];
  const last = await fill(small, key);
  assert.ok(last > 10);
  assert.equal((await small.log.readAfter(key, 0, 1_000)).length, last);
  const roomy = await open(t, url);
  assert.deepEqual(await roomy.log.append([{ key, entries: entries(last + 1, last + 3) }]), ["appended"]);
  assert.deepEqual(await small.log.heads([key]), [{ seq: last + 3, count: last + 3, start: 1 }]);
});

test("a file locked by another process only delays", async (t) => {
  const url = await freshFile(t);
  const store = await open(t, url);
  const [key] = (await makeRooms(store, 1)) as [number];
  const other = new DatabaseSync(pathOf(url));
  other.exec("BEGIN IMMEDIATE");
  const append = store.log.append([{ key, entries: entries(1, 2) }]);
  // Another thread of the store waits for the lock; this one's event loop goes on.
  const heldMs = 300;
  const before = performance.now();
  await new Promise((resolve) => setTimeout(resolve, heldMs));
  assert.ok(performance.now() - before < heldMs + 200, "the event loop was not held up");
  other.exec("ROLLBACK");
  other.close();
  assert.deepEqual(await append, ["appended"]);
});

test("a file locked for longer than busyTimeoutMs is StoreUnavailable, for that long only", async (t) => {
  const url = await freshFile(t);
  const store = await open(t, url, { sqlite: { busyTimeoutMs: 50 } });
  const [key] = (await makeRooms(store, 1)) as [number];
  const other = new DatabaseSync(pathOf(url));
  other.exec("BEGIN IMMEDIATE");
  await assert.rejects(store.log.append([{ key, entries: entries(1, 2) }]), (error) => {
    assert.ok(error instanceof StoreUnavailable);
    assert.match(error.message, /locked by another process/);
    return true;
  });
  assert.equal((await store.log.heads([key]))[0]?.seq, 0, "reads go on");
  other.close();
  assert.deepEqual(await store.log.append([{ key, entries: entries(1, 2) }]), ["appended"]);
});

test("a call that can't be right fails alone; what shares its transaction goes on", async (t) => {
  const store = await open(t, await freshFile(t));
  const [key] = (await makeRooms(store, 1)) as [number];
  const wrong = {
    ...newUser({ id: "u", name: 5n as unknown as string, guest: false }, 1),
    info: {} as string,
  };
  const [good, bad, alsoGood] = await Promise.allSettled([
    store.log.append([{ key, entries: entries(1, 1) }]),
    store.users.put(wrong),
    store.log.append([{ key, entries: entries(2, 2) }]),
  ]);
  assert.deepEqual(good, { status: "fulfilled", value: ["appended"] });
  assert.equal(bad.status, "rejected");
  assert.ok(!(bad.reason instanceof StoreUnavailable));
  assert.deepEqual(alsoGood, { status: "fulfilled", value: ["appended"] });
});

test("[R1] what is redacted while the journal is being folded is not lost with the journal's rows", async (t) => {
  const url = await freshFile(t);
  const store = await openStore(url, { sqlite: { foldBytes: 1 } });
  const [key] = (await makeRooms(store, 1)) as [number];
  // Folded in steps of 500: the second ends right before the redacted entry, which is newer than the fold.
  await store.log.append([{ key, entries: entries(1, 1_200) }]);
  await store.log.append([{ key, entries: entries(1_201, 1_201), redactions: [{ seq: 1_001, body: "{}" }] }]);
  await store.close();
  const again = await open(t, url);
  const rows = await again.log.readAfter(key, 0, 2_000);
  assert.deepEqual(
    rows,
    entries(1, 1_201).map(({ seq, body }) => ({ seq, body: seq === 1_001 ? "{}" : body })),
  );
});

test("when the store's thread dies, what was under way is StoreUnavailable, and a new thread goes on", async (t) => {
  const threads: Worker[] = [];
  const remember = (worker: Worker) => threads.push(worker);
  process.on("worker", remember);
  t.after(() => process.off("worker", remember));
  const store = await open(t, await freshFile(t));
  const [key] = (await makeRooms(store, 1)) as [number];
  await store.log.append([{ key, entries: entries(1, 10) }]);
  const underWay = store.log.append([{ key, entries: entries(11, 20) }]);
  const [, refused] = await Promise.allSettled([threads[0]!.terminate(), underWay]);
  if (refused.status === "rejected") assert.ok(refused.reason instanceof StoreUnavailable);
  for (let up = false; !up; ) {
    up = await store.ping().then(
      () => true,
      (error) => {
        assert.ok(error instanceof StoreUnavailable);
        return new Promise<boolean>((resolve) => setTimeout(resolve, 5, false));
      },
    );
  }
  const [head] = await store.log.heads([key]);
  assert.ok(head?.seq === 10 || head?.seq === 20);
  const next = head.seq + 1;
  assert.deepEqual(await store.log.append([{ key, entries: entries(next, next) }]), ["appended"]);
});

test("what can't be opened is StoreUnavailable, what can't be right is a plain error that says what to do", async (t) => {
  const path = pathOf(await freshFile(t));
  await assert.rejects(openStore(`sqlite:${path}/absent/parley.db`), StoreUnavailable);
  writeFileSync(path, "this is no database, whatever its name says".repeat(100));
  await assert.rejects(openStore(`sqlite:${path}`), (error) => {
    assert.ok(error instanceof StoreUnavailable);
    assert.match(error.message, /not a SQLite file/);
    return true;
  });
  const plain = (url: string, message: RegExp) =>
    assert.rejects(
      openStore(url),
      (error: Error) => !(error instanceof StoreUnavailable) && message.test(error.message),
    );
  await plain("sqlite:parley.db", /absolute path/);
  await plain("postgres://me:secret@host/db", /unknown scheme/);
  await assert.rejects(openStore("postgres://me:secret@host/db"), (error: Error) => !error.message.includes("secret"));
});

test("a file made by a newer version is refused", async (t) => {
  const url = await freshFile(t);
  await (await openStore(url)).close();
  const db = new DatabaseSync(pathOf(url));
  db.exec("PRAGMA user_version = 99");
  db.close();
  await assert.rejects(openStore(url), /newer Parley/);
});

test("close answers what was asked for; after it every call is StoreUnavailable", async (t) => {
  const store = await openStore(await freshFile(t));
  const [key] = (await makeRooms(store, 1)) as [number];
  const underWay = [1, 2, 3].map((seq) => store.log.append([{ key, entries: entries(seq, seq) }]));
  await Promise.all([store.close(), store.close()]);
  assert.deepEqual((await Promise.all(underWay)).flat(), ["appended", "appended", "appended"]);
  await assert.rejects(store.ping(), StoreUnavailable);
});

test("a deleted room's log that was not removed before the end is removed after the next start", async (t) => {
  const url = await freshFile(t);
  const first = await openStore(url);
  const [key] = (await makeRooms(first, 1)) as [number];
  await first.log.append([{ key, entries: entries(1, 5_000) }]);
  const name = (await first.rooms.list({ after: null, limit: 1 }))[0]!.name;
  await first.rooms.delete(name);
  await first.close();
  const store = await open(t, url);
  while ((await store.log.heads([key]))[0]?.seq !== 0) await new Promise((resolve) => setTimeout(resolve, 5));
});
