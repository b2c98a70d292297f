import { test } from "node:test";
import { appendProperty, type Writer } from "../src/contract/index.ts";
import type { Store } from "../src/index.ts";

/** The append loop in its plainest form: head → known ids → number → append → on conflict again. */
function referenceWriter({ log }: Store): Writer {
  return {
    async send({ key, sender, clientMessageId, digest, text }) {
      for (;;) {
        const [head] = await log.heads([key]);
        const [known] = await log.find(key, [{ sender, clientMessageId }]);
        if (known) return { seq: known.seq, duplicate: true };
        const seq = head!.seq + 1;
        const [outcome] = await log.append([
          {
            key,
            entries: [
              {
                seq,
                count: head!.count + 1,
                kind: "message",
                sender,
                clientMessageId,
                digest,
                atMs: Date.now(),
                target: null,
                body: JSON.stringify({ seq, text }),
              },
            ],
          },
        ]);
        if (outcome === "appended") return { seq, duplicate: false };
      }
    },
  };
}

test("[R2] [R3] two writers on the same rooms and a store that fails at random points", async () => {
  await appendProperty(referenceWriter);
});
