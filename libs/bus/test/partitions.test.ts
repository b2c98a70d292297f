import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { ownersOf, partitionCount, partitionOf } from "../src/partitions.ts";
import { encodeName, subjects } from "../src/subjects.ts";

test("a worker that comes or goes moves only its own partitions", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 2, maxLength: 8 }), (workers) => {
      const before = ownersOf(workers);
      const after = ownersOf(workers.slice(1));
      for (let i = 0; i < partitionCount; i++)
        if (before[i] !== workers[0]) assert.equal(after[i], before[i]);
        else assert.ok(workers.slice(1).includes(after[i] as string));
      assert.deepEqual(ownersOf([...workers].reverse()), before, "everybody computes the same");
    }),
  );
});

test("two workers share the partitions about evenly, and names spread over them", () => {
  const share = ownersOf(["chat-1", "chat-2"]).filter((owner) => owner === "chat-1").length;
  assert.ok(share > 90 && share < 166, String(share));
  const used = new Set(Array.from({ length: 4_000 }, (_, i) => partitionOf(`room-${i}`)));
  assert.equal(used.size, partitionCount);
});

test("no name a person chose can mean anything to NATS, and no two names share a subject", () => {
  const legal = /^[A-Za-z0-9_=-]+$/;
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme", minLength: 1 }),
      fc.string({ unit: "grapheme", minLength: 1 }),
      (a, b) => {
        assert.match(encodeName(a), legal);
        if (a !== b) assert.notEqual(encodeName(a), encodeName(b));
      },
    ),
  );
  for (const name of [">", "*", "a.b", "$JS.API.x", "_INBOX.x", "a b", "\r\n", "=2E", "."])
    assert.equal(subjects.room(name).split(".").length, 4, name);
});
