import type { Entry } from "@parley/protocol";
import type { Teardown } from "../support/teardown.ts";
import { type ReturningClient, type Send, startReturningClient } from "./returning-client.ts";

/** A listener of rooms that, after each reconnection, asks for what it missed since the last entry it heard. */
export interface Reader extends ReturningClient {
  /** The `clientMessageId`s of a room's entries as they came: the first is of seq 1, the second of seq 2 … */
  heard(room: string): readonly string[];
  /** Whatever was not the next entry of its room, in words. */
  faults: readonly string[];
}

interface Joined {
  epoch: string;
  head: number;
  recovered: boolean;
  missed: Entry[];
  error?: string;
}

/** Listens to the rooms from their start. */
export function startReader(
  teardown: Teardown,
  options: { urls: readonly string[]; rooms: readonly string[]; onEntry?(room: string, entry: Entry): void },
): Reader {
  const logs = new Map(options.rooms.map((room) => [room, [] as string[]]));
  const epochs = new Map<string, string>();
  const faults: string[] = [];

  const take = (room: string, entry: Entry, from: string) => {
    const log = logs.get(room)!;
    if (entry.seq === log.length + 1) {
      log.push(entry.clientMessageId ?? "");
      options.onEntry?.(room, entry);
    } else faults.push(`${from}: seq ${entry.seq} of ${room} after ${log.length}`);
  };

  const resume = async (room: string, { epoch, head, recovered, missed, error }: Joined, send: Send) => {
    if (error !== undefined) throw new Error(`${room} could not be joined: ${error}`);
    if (!recovered) faults.push(`${room} was not recovered`);
    epochs.set(room, epoch);
    for (const entry of missed) take(room, entry, "missed");
    const log = logs.get(room)!;
    // Truncated: the live ones begin after the head, and what lies between is the client's to fetch.
    while (log.length < head) {
      const page = await send("History", { room, after: log.length, limit: 200 });
      if (!page.success) throw new Error(`History of ${room} was refused: ${page.error}`);
      const { entries } = page.data as { entries: Entry[] };
      for (const entry of entries) if (entry.seq <= head) take(room, entry, "history");
    }
  };

  const client = startReturningClient(teardown, {
    urls: options.urls,
    rooms: () =>
      Object.fromEntries([...logs].map(([room, log]) => [room, { since: log.length, epoch: epochs.get(room) }])),
    onRegistered: async (data, send) => {
      for (const [room, joined] of Object.entries(data.rooms as Record<string, Joined>)) {
        await resume(room, joined, send);
      }
    },
    onEvent: (event) => {
      const { room, seq, event: name, data } = event as { room?: string; seq?: number; event: string; data: unknown };
      if (room !== undefined && seq !== undefined) take(room, data as Entry, "live");
      else if (name === "room.reset") faults.push(`${room} was reset`);
    },
  });
  return { ...client, heard: (room) => logs.get(room) ?? [], faults };
}
