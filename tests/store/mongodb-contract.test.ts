import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import { openStore } from "@parley/store";
import { storeContract } from "@parley/store/contract";
import { startTestMongodb, whyNoMongodb, withDatabase } from "../support/start-mongodb.ts";

const missing = await whyNoMongodb();

if (missing !== null) {
  test("store contract: MongoDB", { skip: missing }, () => {});
} else {
  const server = await startTestMongodb({ after });
  const open = async () => {
    const url = withDatabase(server.url, `contract-${randomUUID()}`);
    // The contract says what is answered, not how soon: a server that reads whole collections may take its time.
    const options = { mongodb: { timeoutMs: 30_000 } };
    const [store, second] = await Promise.all([openStore(url, options), openStore(url, options)]);
    const close = async () => void (await Promise.all([store.close(), second.close()]));
    return { store, second, close };
  };
  storeContract(`MongoDB on ${server.description}`, open, { scans: server.description.startsWith("FerretDB") });
}
