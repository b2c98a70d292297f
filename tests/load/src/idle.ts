/** Connections that registered, joined a room and do nothing: how fast they come, and what each costs in memory. */
import { setTimeout as sleep } from "node:timers/promises";
import { canMeasureProcesses, residentBytesOf } from "./processes.ts";
import { closeAll, openAll } from "./run-loop.ts";
import type { Side } from "./side.ts";

export interface IdleSettings {
  conns: number;
  rooms: number;
  holdMs: number;
  inflight: number;
}

export interface IdleFigures {
  conns: number;
  connectSecs: number;
  /** Bytes of RSS that each connection added, by service; null where it can't be had. */
  bytesPerConnection: Record<string, number> | null;
  /** Connections that the server ended while they were held. */
  disconnects: number;
  lastDisconnect: string | null;
}

/** Opened and closed first, so that the servers' code is loaded and compiled before memory is read. */
const rehearsalConns = 100;

export async function runIdle(
  side: Side,
  settings: IdleSettings,
  run: string,
  progress: (text: string) => void,
): Promise<IdleFigures> {
  const roomOf = (index: number): string => `load-${run}-${index % settings.rooms}`;
  const enter = (index: number) => side.enter(index, "listen", roomOf(index));
  progress("rehearsing");
  await closeAll(await openAll(Math.min(rehearsalConns, settings.conns), settings.inflight, enter, () => {}));
  await sleep(Math.min(1000, settings.holdMs));

  const before = readMemory(side);
  const startMs = performance.now();
  const connections = await openAll(settings.conns, settings.inflight, enter, (opened) =>
    progress(`connected ${opened} of ${settings.conns}`),
  );
  const connectSecs = (performance.now() - startMs) / 1000;
  let disconnects = 0;
  let lastDisconnect: string | null = null;
  for (const connection of connections)
    connection.onLost = (reason) => {
      disconnects++;
      lastDisconnect = reason;
    };
  progress(`holding ${settings.conns}`);
  await sleep(settings.holdMs);
  const after = readMemory(side);
  await closeAll(connections);
  return {
    conns: settings.conns,
    connectSecs,
    bytesPerConnection:
      before &&
      after &&
      Object.fromEntries(
        Object.entries(after).map(([service, bytes]) => [service, (bytes - before[service]!) / settings.conns]),
      ),
    disconnects,
    lastDisconnect,
  };
}

function readMemory(side: Side): Record<string, number> | null {
  if (!canMeasureProcesses || side.processes.length === 0) return null;
  const bytes: Record<string, number> = {};
  for (const process of side.processes)
    bytes[process.service] = (bytes[process.service] ?? 0) + residentBytesOf(process);
  return bytes;
}
