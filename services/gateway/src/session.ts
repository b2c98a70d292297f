import { randomBytes } from "node:crypto";
import type { Actor, StatusChoice } from "@parley/bus";
import type { CloseReason, Decoded, PresenceScope } from "@parley/protocol";
import type { Credential, Identity } from "./authenticate.ts";
import type { HubRoom } from "./hub.ts";
import { createInOrder, type InOrder } from "./in-order.ts";
import { type Bucket, fullBucket, type Strikes } from "./rate-limit.ts";

/** What carries a session's frames. */
export type Transport = "websocket" | "fallback" | "socket.io";

/** The way to one client, whatever carries it. */
export interface Link {
  readonly transport: Transport;
  /** Hands over a JSON frame; it leaves with whatever else this turn has for the client. */
  send(frame: string): void;
  /** Sends now what was handed over. */
  flush(): void;
  /** Listens to a room's frames from now on, or no more. */
  listen(room: HubRoom): void;
  unlisten(room: HubRoom): void;
  /** Sends a frame to all who listen to the room on this node, but not to this client. */
  sendToOthers(room: HubRoom, frame: Uint8Array): void;
  /** Says why and closes; forcibly when the client does not take it. */
  close(reason: CloseReason): void;
}

export interface Session {
  readonly id: string;
  readonly link: Link;
  readonly openedAtMs: number;
  stage: "open" | "registering" | "registered" | "leaving" | "closed";
  user: Actor | null;
  credential: Credential | null;
  /** `{"id":…,"name":…}`, as its entries carry it. */
  senderJson: string;
  /** Rooms it listens to, or is about to. */
  rooms: Map<string, HubRoom>;
  /** Rooms whose join is under way. */
  joining: Set<string>;
  /** Rooms it will listen to once the reply to Register has left. */
  entering: readonly string[];
  /** Whose presence it wants to hear of. */
  presence: PresenceScope;
  /** No Heartbeat for a minute. */
  idle: boolean;
  /** The status set by this session. */
  choice: StatusChoice | null;
  inOrder: InOrder;
  bucket: Bucket;
  badFrames: Strikes;
  limited: Strikes;
  /** Client events without a reply yet. */
  unanswered: number;
  /** What waits for the registration to end. */
  held: (() => void)[] | null;
  /** Called when the last reply was handed over. */
  onAnswered: (() => void) | null;
  lastHeartbeatMs: number;
}

/** The session is this user's from now on. */
export function identify(session: Session, { user, credential }: Identity): void {
  session.user = user;
  session.credential = credential;
  session.senderJson = JSON.stringify({ id: user.id, name: user.name });
}

const idBytes = 12;
let randomPool = Buffer.alloc(0);
let poolAt = 0;

/** Random bytes are drawn for many at a time: one by one they were the dearest part of a handshake. */
export function newSessionId(): string {
  if (poolAt >= randomPool.length) {
    randomPool = randomBytes(256 * idBytes);
    poolAt = 0;
  }
  poolAt += idBytes;
  return randomPool.toString("base64url", poolAt - idBytes, poolAt);
}

/** A session as it is when its connection opens, or says its first word. */
export function newSession(id: string, link: Link, eventsBurst: number, openedAtMs = performance.now()): Session {
  const nowMs = performance.now();
  return {
    id,
    link,
    openedAtMs,
    stage: "open",
    user: null,
    credential: null,
    senderJson: "",
    rooms: new Map(),
    joining: new Set(),
    entering: [],
    presence: "none",
    idle: false,
    choice: null,
    inOrder: createInOrder(),
    bucket: fullBucket(eventsBurst, nowMs),
    badFrames: { count: 0, sinceMs: nowMs },
    limited: { count: 0, sinceMs: nowMs },
    unanswered: 0,
    held: null,
    onAnswered: null,
    lastHeartbeatMs: nowMs,
  };
}

/** What the gateway wants to hear of the sessions of a way in. */
export interface SessionEvents {
  opened: (session: Session) => void;
  received: (session: Session, decoded: Decoded) => void;
  closed: (session: Session) => void;
}
