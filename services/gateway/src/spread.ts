import type { Session } from "./session.ts";

/** Sends a frame to many sessions, in the order of calls, with other work of this process in between. */
export type Spread = (sessions: Iterable<Session>, frame: string) => void;

/** About two milliseconds' worth. */
const bytesPerTurn = 1024 * 1024;
const sessionsPerTurn = 1_000;

export function createSpread(): Spread {
  let tail: Promise<void> | null = null;

  const send = async (sessions: Iterable<Session>, frame: string) => {
    const perTurn = Math.max(1, Math.min(sessionsPerTurn, Math.floor(bytesPerTurn / frame.length)));
    let sent = 0;
    for (const { link } of sessions) {
      link.send(frame);
      if (++sent % perTurn === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  };

  return (sessions, frame) => {
    const sending: Promise<void> = (tail ?? Promise.resolve())
      .then(() => send(sessions, frame))
      .then(() => {
        if (tail === sending) tail = null;
      });
    tail = sending;
  };
}
