/** Members of one room who talk by turns and measure what their acknowledgements take; they keep and parse nothing, so as not to measure themselves. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Connection } from "../connection.ts";
import { createReplyReader } from "../reply.ts";
import { waitUntil } from "../run-loop.ts";
import { createSendFrame, firstRequestId, nowMicros, type SendFrame, stampBytes } from "../send-frame.ts";
import type { Side } from "../side.ts";

export interface Talkers {
  /** Sends so many messages a second, on time whatever comes back; answers how long each acknowledgement took. */
  talk(ms: number, perSecond: number): Promise<number[]>;
  /** What must not have happened, in words. */
  failures(): string[];
  close(): void;
}

interface Talker {
  connection: Connection;
  frame: SendFrame;
  sent: number;
  /** When each unanswered message was sent, by its request's id. */
  sentAtMs: Map<number, number>;
}

/** Below the 50 a second that one address may open. */
const enterEveryMs = 25;
const lastAnswersMs = 10_000;

export async function enterTalkers(side: Side, room: string, count: number): Promise<Talkers> {
  const replies = createReplyReader();
  const talkers: Talker[] = [];
  let delaysMs: number[] = [];
  let lost = 0;
  let unanswered = 0;
  let sent = 0;

  for (let i = 0; i < count; i++) {
    const connection = await side.enter(i, "listen", room);
    const talker: Talker = { connection, frame: createSendFrame(room, i, stampBytes), sent: 0, sentAtMs: new Map() };
    connection.onText = (bytes, start, end) => {
      const id = replies.read(bytes, start, end);
      const sentAtMs = talker.sentAtMs.get(id);
      if (sentAtMs === undefined) return;
      talker.sentAtMs.delete(id);
      delaysMs.push(performance.now() - sentAtMs);
    };
    connection.onLost = () => lost++;
    talkers.push(talker);
    await sleep(enterEveryMs);
  }

  return {
    async talk(ms, perSecond) {
      delaysMs = [];
      const messages = (ms * perSecond) / 1_000;
      const startedAt = performance.now();
      for (let n = 0; n < messages; n++) {
        await sleep(Math.max(0, startedAt + (n * 1_000) / perSecond - performance.now()));
        const talker = talkers[sent++ % count] as Talker;
        const id = firstRequestId + talker.sent;
        talker.sentAtMs.set(id, performance.now());
        talker.connection.write(talker.frame.make(id, talker.sent++, nowMicros()));
      }
      const open = () => talkers.reduce((sum, { sentAtMs }) => sum + sentAtMs.size, 0);
      await waitUntil(() => open() - replies.refusedCount <= 0, lastAnswersMs);
      unanswered = open() - replies.refusedCount;
      return delaysMs;
    },
    failures: () => [
      ...(lost > 0 ? [`${lost} members were cut off`] : []),
      ...(replies.refusedCount > 0 ? [`messages were refused: ${JSON.stringify(replies.refused)}`] : []),
      ...(unanswered > 0 ? [`${unanswered} messages were not answered`] : []),
    ],
    close() {
      for (const { connection } of talkers) connection.close();
    },
  };
}
