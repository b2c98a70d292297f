/**
 * Tells the notify workers of messages that somebody may have to be notified of. The message path never waits for it: what
 * was stored is noted here, and sent in batches, again and again, until a notify worker says that it has recorded it.
 */
import { type Bus, isTicketRoom, type Said, subjects } from "@parley/bus";
import type { RoomState } from "./room-states.ts";

export interface SaidNotes {
  note(state: RoomState, seq: number, senderJson: string, text: string | null): void;
  /** Not yet taken by a notify worker. */
  waiting(): number;
  /** Dropped because too many waited. */
  dropped(): number;
  /** Waits for what is under way, and no longer than a moment. */
  stop(): Promise<void>;
}

const waitingMax = 20_000;
const batchSize = 200;
const answerWithinMs = 3_000;
const retryMs = 1_000;
const textChars = 500;
/** An @ that begins a word. */
const mention = /(^|[^\p{L}\p{N}_])@[\p{L}\p{N}_]/u;

function reasonOf(state: RoomState, text: string | null): Said["why"] | null {
  const { visibility } = state.record;
  if (visibility === "direct") return "direct";
  if (visibility === "private" && isTicketRoom(state.name)) return "ticket";
  return text?.includes("@") && mention.test(text) ? "mention" : null;
}

export function createSaidNotes(bus: Bus): SaidNotes {
  const waiting: Said[] = [];
  let dropped = 0;
  let stopped = false;
  let telling: Promise<void> | null = null;

  const tell = async () => {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, batchSize);
      try {
        await bus.nc.request(subjects.said(), JSON.stringify(batch), { timeout: answerWithinMs });
        waiting.splice(0, batch.length);
      } catch {
        // No notify worker, or none that can record it now.
        if (stopped) return;
        await new Promise((resolve) => setTimeout(resolve, retryMs));
      }
    }
    telling = null;
  };

  return {
    note(state, seq, senderJson, text) {
      const why = reasonOf(state, text);
      if (why === null) return;
      if (waiting.length >= waitingMax) {
        dropped++;
        return;
      }
      const sender = JSON.parse(senderJson) as Said["sender"];
      waiting.push({ room: state.name, key: state.key, seq, why, sender, text: (text ?? "").slice(0, textChars) });
      telling ??= tell();
    },
    waiting: () => waiting.length,
    dropped: () => dropped,
    async stop() {
      stopped = true;
      await telling;
    },
  };
}
