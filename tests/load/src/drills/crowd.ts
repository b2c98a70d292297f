/** Many clients of the SDK in one process, who talk in rooms, and what each of them had to put up with. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type Room } from "@parley/client";
import { WebSocket } from "ws";
import { readLogs } from "../../../faults/check-logs.ts";
import type { Teardown } from "../../../support/teardown.ts";
import { waitFor } from "../../../support/wait-for.ts";

export interface CrowdOptions {
  clients: number;
  rooms: number;
  /** Each client sends a message so often, on the whole. */
  everyMs: number;
  /** `ws://…` to connect to, asked at each attempt. */
  pick(): string;
}

export interface Crowd {
  /** Begins to send; resolves once `stop` was called and everything was acknowledged. */
  talk(): Promise<void>;
  stop(): void;
  /** How many are online now. */
  online(): number;
  /** When each client was registered again after a loss, in ms of `performance.now()`. */
  returns(): number[];
  /** For each client the longest that it waited for an acknowledgement, or that a message took to come to it, in ms. */
  gapsMs(): number[];
  /** How long each acknowledgement took, in ms. */
  acksMs(): number[];
  sent(): number;
  /** Sends that failed in the application's eyes. */
  failed(): string[];
  /** Compares what all heard with the store; what is wrong, in words. */
  faults(): Promise<string[]>;
}

interface Member {
  roomName: string;
  room: Room;
  heard: { seq: number; id: string }[];
  gapMs: number;
}

/** As many addresses as clients, so that limits by address see people and not one machine. */
const addressOf = (i: number): string => `127.1.${Math.floor(i / 250) % 250}.${(i % 250) + 1}`;
const connectingAtOnce = 100;

/** The SDK's way to a gateway, through a balancer and from an address of its own. */
function webSocketFrom(localAddress: string, pick: () => string): typeof globalThis.WebSocket {
  function Routed(_url: string, protocols: string): WebSocket {
    return new WebSocket(`${pick()}/ws`, protocols, { localAddress, perMessageDeflate: false });
  }
  return Routed as unknown as typeof globalThis.WebSocket;
}

/** Resolves once all have joined their room. Ends with `teardown`. */
export async function startCrowd(teardown: Teardown, options: CrowdOptions): Promise<Crowd> {
  const { clients, rooms, everyMs, pick } = options;
  const members: Member[] = [];
  const acksMs: number[] = [];
  const returns: number[] = [];
  const failed: string[] = [];
  /** Room and number of each. */
  const acknowledged: string[] = [];
  const closers: (() => Promise<void>)[] = [];
  teardown.after(async () => void (await Promise.all(closers.map((close) => close()))));
  let sent = 0;
  let online = 0;
  let stopped = false;

  const join = async (i: number) => {
    const parley = connect({
      url: "ws://127.0.0.1/ws",
      guest: { name: `client ${i}` },
      presence: "none",
      keep: 50,
      WebSocket: webSocketFrom(addressOf(i), pick),
    });
    closers.push(parley.close);
    const roomName = `room ${i % rooms}`;
    const room = parley.room(roomName);
    const member: Member = { roomName, room, heard: [], gapMs: 0 };
    members[i] = member;
    room.on("message", ({ seq, text, clientMessageId }) => {
      member.heard.push({ seq, id: clientMessageId });
      member.gapMs = Math.max(member.gapMs, Date.now() - Number(text?.split(" ")[0]));
    });
    let wasOnline = false;
    parley.on("state", (state) => {
      const isOnline = state === "online" || state === "draining";
      if (isOnline === wasOnline) return;
      wasOnline = isOnline;
      online += isOnline ? 1 : -1;
      if (isOnline) returns.push(performance.now());
    });
    await parley.ready();
    await room.join({ since: 0 });
  };

  for (let i = 0; i < clients; i += connectingAtOnce) {
    const some = Array.from({ length: Math.min(connectingAtOnce, clients - i) }, (_, n) => join(i + n));
    await Promise.all(some);
  }
  returns.length = 0;

  const sendOne = async (member: Member, i: number) => {
    const startedAt = performance.now();
    sent++;
    try {
      const { seq } = await member.room.send(`${Date.now()} client ${i}`);
      const tookMs = performance.now() - startedAt;
      acksMs.push(tookMs);
      member.gapMs = Math.max(member.gapMs, tookMs);
      acknowledged.push(`${member.roomName} ${seq}`);
    } catch (error) {
      failed.push(String(error));
    }
  };

  const talkAs = async (member: Member, i: number) => {
    const sends: Promise<void>[] = [];
    await sleep(Math.random() * everyMs);
    while (!stopped) {
      // It need not wait for the one before: the person types on.
      sends.push(sendOne(member, i));
      await sleep(everyMs * (0.5 + Math.random()));
    }
    await Promise.all(sends);
  };

  const faults = async (): Promise<string[]> => {
    const found: string[] = [];
    const names = Array.from({ length: rooms }, (_, i) => `room ${i}`);
    const logs = await readLogs(`${pick()}/ws`, names);
    const stored = [...logs.values()].reduce((sum, log) => sum + log.length, 0);
    if (stored !== sent) found.push(`${stored} messages are stored, ${sent} were sent`);
    for (const [room, log] of logs) {
      const ids = log.map(({ clientMessageId }) => clientMessageId);
      if (new Set(ids).size !== ids.length) found.push(`${room} holds a message twice`);
      if (log.some(({ seq }, i) => seq !== i + 1)) found.push(`${room} is not numbered 1, 2, 3 …`);
    }
    if (new Set(acknowledged).size !== acknowledged.length) found.push("two messages were acknowledged by one number");
    for (const [i, { roomName, heard }] of members.entries()) {
      const log = logs.get(roomName) ?? [];
      try {
        const all = () => (heard.at(-1)?.seq ?? 0) >= log.length;
        await waitFor("the last message", all, { timeoutMs: 30_000 });
        assert.deepEqual(
          heard,
          log.map(({ seq, clientMessageId }) => ({ seq, id: clientMessageId })),
        );
      } catch {
        found.push(`client ${i} heard ${heard.length} of ${log.length} in ${roomName}, or in another order`);
      }
    }
    return found;
  };

  return {
    talk: async () => void (await Promise.all(members.map(talkAs))),
    stop() {
      stopped = true;
    },
    online: () => online,
    returns: () => returns,
    gapsMs: () => members.map(({ gapMs }) => gapMs),
    acksMs: () => acksMs,
    sent: () => sent,
    failed: () => failed,
    faults,
  };
}
