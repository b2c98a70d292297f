import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { blankBody, type Draft, digestOf, encodeBody, messageFields } from "../src/entry.ts";
import { idOf, numberEntries } from "../src/number-entries.ts";

const aDraft = fc
  .record({
    kind: fc.constantFrom("message" as const, "edited" as const, "reacted" as const),
    sender: fc.constantFrom("ada", "bob"),
    clientMessageId: fc.constantFrom("1", "2", "3", '"', "\\"),
    digest: fc.nat(2),
    text: fc.string({ unit: "grapheme" }),
  })
  .map(
    ({ text, ...rest }): Draft => ({
      ...rest,
      senderJson: JSON.stringify({ id: rest.sender, name: rest.sender }),
      target: rest.kind === "message" ? null : 1,
      fieldsJson: messageFields(text, "null", null),
    }),
  );

test("[R2] [R3] new entries are numbered from the head on without a hole; every other draft is a repeat or a conflict", () => {
  fc.assert(
    fc.property(fc.array(aDraft, { maxLength: 30 }), fc.nat(1_000), fc.nat(500), (drafts, seq, count) => {
      const { entries, verdicts } = numberEntries({ seq, count }, drafts, () => undefined, 0);
      assert.deepEqual(
        entries.map((entry) => entry.seq),
        entries.map((_, i) => seq + 1 + i),
      );
      let messages = count;
      for (const entry of entries) {
        if (entry.kind === "message") messages++;
        assert.equal(entry.count, messages);
        const body = JSON.parse(entry.body) as { seq: number; clientMessageId: string };
        assert.deepEqual([body.seq, body.clientMessageId], [entry.seq, entry.clientMessageId]);
      }
      const first = new Map<string, { seq: number; digest: number }>();
      verdicts.forEach((verdict, i) => {
        const draft = drafts[i] as Draft;
        const before = first.get(idOf(draft));
        if (!before) {
          assert.equal(verdict.kind, "new");
          if (verdict.kind === "new") first.set(idOf(draft), { seq: verdict.seq, digest: draft.digest });
        } else if (before.digest !== draft.digest) assert.equal(verdict.kind, "conflict");
        else assert.deepEqual(verdict.kind === "repeat" && verdict.earlier.seq, before.seq);
      });
    }),
  );
});

test("an entry's JSON is what was said, whatever it was", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.json(), fc.option(fc.integer({ min: 1 })), (text, data, replyTo) => {
      const [draft] = fc.sample(aDraft, 1) as [Draft];
      const fieldsJson = messageFields(text, JSON.stringify(JSON.parse(data)), replyTo);
      const body = JSON.parse(encodeBody({ ...draft, fieldsJson }, 3, "2026-01-01T00:00:00.000Z"));
      assert.deepEqual([body.text, body.data, body.replyTo], [text, JSON.parse(data), replyTo]);
      const blank = JSON.parse(blankBody(JSON.stringify(body)));
      assert.deepEqual([blank.text, blank.data, blank.deleted, blank.seq], [null, null, true, 3]);
    }),
  );
});

test("[R3] a digest tells requests apart, also where their parts are cut elsewhere", () => {
  assert.equal(digestOf("message", "ab", "c", null), digestOf("message", "ab", "c", null));
  assert.notEqual(digestOf("message", "ab", "c", null), digestOf("message", "a", "bc", null));
  assert.notEqual(digestOf("message", null, "c", null), digestOf("message", "", "c", null));
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      assert.ok(Number.isSafeInteger(digestOf(a, b)));
      if (a !== b) assert.notEqual(digestOf(a), digestOf(b));
    }),
  );
});
