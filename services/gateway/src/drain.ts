/** How a gateway lets its clients go: each at a moment of its own, and none before it has its answers. */
import type { CloseReason } from "@parley/protocol";
import { eventFrame } from "./frames.ts";
import type { Session } from "./session.ts";

/** A client is closed a little later than it was told: who has opened a new connection by then notices no end. */
const maxOverlapMs = 1_000;
const answersMs = 2_000;

/** Tells each session when to come back, spread evenly over `ms` in no order that a client could choose, and closes it then. */
export function sendAway(sessions: readonly Session[], ms: number): void {
  const stepMs = ms / Math.max(1, sessions.length);
  const overlapMs = Math.min(maxOverlapMs, ms / 10);
  const delays = sessions.map((_, i) => Math.round((i + Math.random()) * stepMs)).sort(() => Math.random() - 0.5);
  sessions.forEach((session, i) => {
    const delayMs = delays[i] as number;
    session.link.send(eventFrame("Drain", JSON.stringify({ reconnectAfterMs: delayMs })));
    setTimeout(() => closeWhenAnswered(session, "draining"), delayMs + overlapMs);
  });
}

/** Acknowledgements in flight are worth a moment: what a client sent is answered before it is sent away. */
export function closeWhenAnswered(session: Session, reason: CloseReason): void {
  if (session.stage === "closed" || session.stage === "leaving") return;
  const close = () => session.link.close(reason);
  if (session.unanswered === 0) close();
  else {
    session.onAnswered = close;
    setTimeout(close, answersMs).unref();
  }
}
