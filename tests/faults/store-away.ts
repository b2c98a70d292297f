import assert from "node:assert/strict";
import type { Reply } from "@parley/protocol";
import type { TestStack } from "../support/start-stack.ts";
import type { Teardown } from "../support/teardown.ts";
import { connectTestClient, type TestClient } from "../support/websocket-client.ts";

/** Two who talk in one room, while the store comes and goes. The room has one message, of seq 1. */
export interface Talk {
  /** Sends one and the same message, each time it is called. */
  send(): Promise<Reply>;
  listener: TestClient;
  /**
   * To be called when the store is away: sends, and checks that it is refused as unavailable within 10 s while typing goes on.
   * Answers how long the refusal took.
   */
  checkRefused(): Promise<number>;
}

export async function startTalk(teardown: Teardown, stack: TestStack): Promise<Talk> {
  const url = `${stack.wsUrl()}/ws`;
  const [ada, bob] = [await connectTestClient(url), await connectTestClient(url)];
  teardown.after(async () => {
    await Promise.all([ada.close(), bob.close()]);
  });
  for (const client of [ada, bob]) {
    await client.registerGuest();
    await client.request("JoinRoom", { room: "r" });
  }
  const message = (clientMessageId: string) => ({ room: "r", clientMessageId, text: "hi" });
  await ada.request("SendMessage", message("before"));
  const send = () => ada.send("SendMessage", message("meanwhile"));

  return {
    send,
    listener: bob,
    async checkRefused() {
      const startedAt = performance.now();
      const sending = send();
      await ada.request("Typing", { room: "r", typing: true });
      await bob.waitForEvent("typing", ({ data }) => (data as { typing?: boolean }).typing === true, 2_000);
      const refused = await sending;
      const tookMs = performance.now() - startedAt;
      assert.equal(refused.success, false);
      assert.deepEqual([refused.code, refused.retryable], ["unavailable", true]);
      assert.ok(tookMs < 10_500, `the refusal took ${Math.round(tookMs)} ms`);
      return tookMs;
    },
  };
}
