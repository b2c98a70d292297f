/**
 * Copies the write-ahead log into the file when told to, beside the store's thread: it takes two syncs and many writes,
 * up to 100 ms on a busy disk, and commits need not wait for it.
 */
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";

const port = parentPort!;
const db = new DatabaseSync(workerData as string);
const checkpoint = db.prepare("PRAGMA wal_checkpoint(PASSIVE)");

port.on("message", (message: "checkpoint" | "close") => {
  if (message === "close") {
    db.close();
    port.close();
    return;
  }
  try {
    checkpoint.get();
  } catch {
    // A full disk: the log stays as long as it is, and the next try may do better.
  }
  port.postMessage("done");
});
