import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import test from "node:test";
import { clientEventNames } from "../src/client-events.ts";
import { closeCodes, mayReconnect } from "../src/close-codes.ts";
import { errors } from "../src/errors.ts";
import { serverEventNames } from "../src/server-events.ts";

const document = await readFile(resolve(import.meta.dirname, "../../../docs/protocol.md"), "utf8");

test("docs/protocol.md names every error code, and says rightly which are retryable", () => {
  const table = new Map(
    [...document.matchAll(/^\| `([a-z_]+)` \| (yes|no) \|/gm)].map(([, code, again]) => [code, again === "yes"]),
  );
  assert.deepEqual(table, new Map(Object.entries(errors).map(([code, { retryable }]) => [code, retryable])));
});

test("docs/protocol.md names every event and every close code", () => {
  for (const name of [...clientEventNames, ...serverEventNames]) assert.ok(document.includes(`\`${name}\``), name);
  for (const { code } of Object.values(closeCodes)) assert.ok(document.includes(`| ${code} |`), String(code));
});

test("the range of a close code decides who comes back", () => {
  for (const [code, back] of [
    [1000, false],
    [1003, false],
    [1001, true],
    [1006, true],
    [4001, true],
    [4499, true],
    [4500, false],
    [4999, false],
  ] as const)
    assert.equal(mayReconnect(code), back, String(code));
});
