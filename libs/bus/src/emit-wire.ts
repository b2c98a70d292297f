/** What any service may ask of the presence workers over NATS: an event for chosen users, for a room, or for everyone. */
import { type ErrorCode, Refusal, Unavailable } from "@parley/protocol";
import type { Bus } from "./connect-bus.ts";
import { subjects } from "./subjects.ts";

export interface Emission {
  /** Name of the event, as clients listen for it. */
  event: string;
  /** Anything that JSON carries. */
  data: unknown;
  /** Who is named as its sender; null for the system. */
  sender?: { id: string; name: string } | null;
  /** One of the protocol's own events (`notification`, …): allowed by name, and sent without `sender` and `type`. */
  ofProtocol?: boolean;
}

export type EmitTarget = { users: string[] } | { room: string } | { all: true };

export type EmitRequest = Emission & { to: EmitTarget };

/** How many sessions it was sent to, and which of the users asked for it did not reach, and why. */
export interface EmitReport {
  sessions: number;
  /** No such users. */
  unknown: string[];
  /** Users without a session now. */
  offline: string[];
}

export type EmitAnswer = { ok: true; report: EmitReport } | { ok: false; code: ErrorCode; error: string };

const timeoutMs = 3_000;

/**
 * Asks whichever presence worker is free. Delivered at most once to each session, never stored.
 * Rejects with Refusal (a wrong id, a reserved event, over 1,000 ids) or Unavailable (no presence worker, no Redis).
 */
export async function emit(bus: Bus, request: EmitRequest): Promise<EmitReport> {
  let answer: EmitAnswer;
  try {
    answer = (
      await bus.nc.request(subjects.emit(), JSON.stringify(request), { timeout: timeoutMs })
    ).json<EmitAnswer>();
  } catch (cause) {
    throw new Unavailable("No presence worker answered", { cause });
  }
  if (answer.ok) return answer.report;
  if (answer.code === "unavailable") throw new Unavailable(answer.error);
  throw new Refusal(answer.code, answer.error);
}

/** An event for every session of these users, wherever they are connected. */
export const emitUser = (bus: Bus, users: string[], emission: Emission): Promise<EmitReport> =>
  emit(bus, { ...emission, to: { users } });
