import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createInOrder } from "../src/in-order.ts";

test("[R4] whatever is refused at random, a client that names the one before and starts again at the first refused is stored in order", () => {
  const sends = fc.array(fc.boolean(), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 30 }), sends, (count, luck) => {
      const inOrder = createInOrder();
      const stored: number[] = [];
      let turn = 0;
      for (let rounds = 0; stored.length < count && rounds < 1_000; rounds++) {
        // As the SDK does: a window of what is not stored yet, all of it sent before any answer comes.
        const window = Array.from({ length: count }, (_, i) => i)
          .filter((i) => !stored.includes(i))
          .slice(0, 16);
        window.forEach((message, i) => {
          const before = i > 0 ? String(window[i - 1]) : null;
          if (!inOrder.mayGo(String(message), before)) return;
          // A worker, or the rate limit, refuses some; none for ever.
          if (luck[turn++ % luck.length] === false && turn < 500) inOrder.refused(String(message));
          else stored.push(message);
        });
      }
      assert.deepEqual(
        stored,
        Array.from({ length: count }, (_, i) => i),
      );
    }),
  );
});

test("a message that names none, or one that was not refused, may go", () => {
  const inOrder = createInOrder();
  inOrder.refused("1");
  assert.equal(inOrder.mayGo("2", "1"), false);
  assert.equal(inOrder.mayGo("3", "2"), false);
  assert.equal(inOrder.mayGo("4", null), true);
  assert.equal(inOrder.mayGo("1", null), true);
  assert.equal(inOrder.mayGo("2", "1"), true);
});
