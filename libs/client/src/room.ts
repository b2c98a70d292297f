import type { Entry, JoinData, JoinError, Sender, ServerEvent, TimerFrame, TimerView } from "@parley/protocol";
import type { Connection } from "./connection.ts";
import { createEmitter, createStore, type Store, type Unsubscribe } from "./emitter.ts";
import { ParleyError } from "./errors.ts";
import type { Message } from "./fold.ts";
import type { createMyRooms } from "./my-rooms.ts";
import type { Outbox } from "./outbox.ts";
import { type Content, createPending, type PendingMessage } from "./pending.ts";
import { createRoomLog, type JoinOptions } from "./room-log.ts";
import { createTimer, type RoomTimer } from "./timer.ts";
import { createTyping } from "./typing.ts";

/** `out`: not listening. `joining`: asked to. `live`: hears everything. `refused`: the server says no, see `error`. */
export type RoomState = "out" | "joining" | "live" | "refused";

export interface RoomSnapshot {
  state: RoomState;
  error: ParleyError | null;
  /** Ascending by seq, without holes. */
  messages: readonly Message[];
  /** Own messages on their way, and those that failed, in the order in which they were written. */
  pending: readonly PendingMessage[];
  typing: readonly Sender[];
  /** There are older messages than the first one here: `history()` brings them. */
  more: boolean;
  role: JoinData["role"] | null;
  /** How many members the room has. */
  members: number;
  /** Seq of the newest entry held. */
  last: number;
}

export interface RoomEvents {
  /** Entries of the log in order, each once. Those that `history()` brings are not told again. */
  message: Entry;
  edited: Entry;
  deleted: Entry;
  reacted: Entry;
  system: Entry;
  /** Entries may have been missed: what was held is dropped, and the room is read anew. */
  reset: undefined;
  state: RoomState;
  /** Somebody's read mark, in rooms that show receipts. */
  read: { user: Sender; seq: number };
  joined: Sender;
  left: Sender;
}

export interface Room extends Store<RoomSnapshot> {
  readonly name: string;
  /** The countdown that all in the room share. */
  readonly timer: RoomTimer;
  on<Name extends keyof RoomEvents>(event: Name, listener: (value: RoomEvents[Name]) => void): Unsubscribe;
  /** Listens, and becomes a member. Stays so through every reconnection. Rejects when the server refuses. */
  join(options?: JoinOptions): Promise<void>;
  /** Stops listening; with `forget`, also being a member. What is held stays, and is resumed by the next `join`. */
  leave(options?: { forget?: boolean }): Promise<void>;
  /**
   * Sends a message: at once, or as soon as there is a connection, and exactly once. Resolves when it is stored,
   * rejects when it is refused for good; the snapshot's `pending` shows both.
   */
  send(content: string | Content): Promise<{ seq: number; at: string }>;
  /** Sends a failed message again. */
  retry(clientMessageId: string): void;
  /** Takes a failed message out of `pending`. */
  discard(clientMessageId: string): void;
  edit(target: number, text: string): Promise<void>;
  delete(target: number): Promise<void>;
  react(target: number, emoji: string, options?: { remove?: boolean }): Promise<void>;
  /** Loads up to `limit` (200 at most) older entries into the snapshot; answers whether there are more. */
  history(limit?: number): Promise<boolean>;
  /** Moves the read mark to `seq`, the newest unless given. Calls in a row are told once. */
  markRead(seq?: number): void;
  /** Call at each key; false when the text was cleared. Tells others seldom, and ends by itself after 6 s. */
  typing(typing: boolean): void;
}

export interface RoomParts {
  connection: Connection;
  outbox: Outbox;
  myRooms: ReturnType<typeof createMyRooms>;
  messageId: () => string;
  /** How many entries to hold at least, unless older ones were asked for. */
  keep: number;
}

/** What `room.joined` and `room.left` tell. */
interface Coming {
  user: Sender;
  members?: number;
  /** It was not the user's own wish. */
  removed?: boolean;
}

const markReadDelayMs = 250;

/** What the client needs of a room beside its public face. */
export interface RoomCore {
  room: Room;
  /** Where to go on after a reconnection; null when there is nothing to go on with. */
  position(): { since: number; epoch: string } | null;
  /** A new link is registered; `data` is its word on this room, if it was asked. */
  online(data: JoinData | JoinError | undefined): void;
  receive(frame: ServerEvent): void;
  /** Shows a message that an earlier page left unsent. */
  restore: ReturnType<typeof createPending>["restore"];
}

export function createRoom(name: string, { connection, outbox, myRooms, messageId, keep }: RoomParts): RoomCore {
  const events = createEmitter<RoomEvents>();
  const store = createStore<RoomSnapshot>(() => ({
    state,
    error,
    messages: log.messages(),
    pending: pending.list(),
    typing: typing.names(),
    more: log.more,
    role,
    members,
    last: log.last,
  }));
  const { changed } = store;
  const log = createRoomLog(name, connection, keep, { entry: heard, reset, changed });
  const typing = createTyping(changed);
  const countdown = createTimer(name, connection);
  const pending = createPending(name, outbox, messageId, (seq) => log.live && seq > log.last, changed);

  let state: RoomState = "out";
  let error: ParleyError | null = null;
  let role: JoinData["role"] | null = null;
  let members = 0;

  /** What the application wants; whether it holds on the present link is `log.live`. */
  let wanted = false;
  let forget = false;
  let settling: Promise<void> | null = null;

  /** The read mark that was asked for last, and whether it is about to be told. */
  let marked = 0;
  let telling = false;

  const me = () => connection.snapshot().user?.id;

  function become(next: RoomState, cause: ParleyError | null = null) {
    if (state === next && error === cause) return;
    state = next;
    error = cause;
    changed();
    events.emit("state", next);
  }

  function heard(entry: Entry) {
    const own = entry.sender.id === me();
    if (own) pending.stored(entry.clientMessageId);
    else if (entry.kind === "message") typing.stop(entry.sender.id);
    myRooms.heard(name, entry, own);
    events.emit(entry.kind, entry);
  }

  function reset() {
    marked = 0;
    pending.storedUpTo(Infinity);
    myRooms.refreshSoon();
    countdown.forget();
    events.emit("reset", undefined);
  }

  /** Joins or leaves until what is wanted holds. */
  async function settle(): Promise<void> {
    while (wanted !== log.live || (forget && !wanted)) {
      try {
        await connection.ready();
        const era = connection.era();
        if (wanted) {
          // Register may have brought it in meanwhile.
          if (log.live) continue;
          const data = await connection.call<JoinData>("JoinRoom", { room: name, ...log.since() });
          if (era === connection.era()) await joined(data);
        } else {
          await connection.call("LeaveRoom", { room: name, forget });
          forget = false;
          if (era === connection.era()) log.stop();
        }
      } catch (cause) {
        const failure = cause as ParleyError;
        if (failure.retryable) continue;
        forget = false;
        if (wanted) refused(failure);
        else log.stop();
      }
    }
    if (!wanted && state !== "refused") become("out");
  }

  function settled(): Promise<void> {
    settling ??= settle().finally(() => {
      settling = null;
    });
    return settling;
  }

  async function joined(data: JoinData): Promise<void> {
    if (!myRooms.get(name)) void myRooms.refresh();
    role = data.role;
    members = data.members;
    await log.joined(data);
    if (wanted) become("live");
    changed();
  }

  function refused(cause: ParleyError) {
    wanted = false;
    log.stop();
    become("refused", cause);
  }

  async function tellMark() {
    telling = false;
    const seq = marked;
    try {
      const data = await connection.call<{ seq: number; unread: number }>("MarkRead", { room: name, seq });
      myRooms.read(name, data.seq, data.unread);
    } catch {
      if (marked === seq) marked = 0;
    }
  }

  function amend(event: "EditMessage" | "DeleteMessage" | "React", fields: object): Promise<void> {
    return outbox.add(event, { room: name, clientMessageId: messageId(), ...fields }).then(() => {});
  }

  function counted(event: "joined" | "left", { user, members: count }: Coming) {
    members = count ?? members;
    changed();
    events.emit(event, user);
  }

  const room: Room = {
    name,
    timer: countdown.timer,
    on: events.on,
    subscribe: store.subscribe,
    snapshot: store.snapshot,
    async join(options = {}) {
      log.begin(options);
      wanted = true;
      if (!log.live) become("joining");
      await settled();
      if (error) throw error;
    },
    async leave(options = {}) {
      wanted = false;
      forget = options.forget ?? false;
      typing.clear();
      await settled();
      if (options.forget) void myRooms.refresh();
    },
    send(content) {
      typing.sent();
      return pending.send(typeof content === "string" ? { text: content } : content);
    },
    retry: pending.retry,
    discard: pending.discard,
    edit: (target, text) => amend("EditMessage", { target, text }),
    delete: (target) => amend("DeleteMessage", { target }),
    react: (target, emoji, options) => amend("React", { target, emoji, remove: options?.remove }),
    history: (limit = 50) => log.history(limit),
    markRead(seq = log.last) {
      if (seq <= Math.max(marked, myRooms.get(name)?.lastRead ?? 0)) return;
      marked = seq;
      if (!telling) setTimeout(tellMark, markReadDelayMs);
      telling = true;
    },
    typing(active) {
      if (typing.mustSay(active)) connection.request("Typing", { room: name, typing: active }).catch(() => {});
    },
  };

  const handlers: Record<string, (frame: ServerEvent) => void> = {
    typing: ({ data }) => {
      const { user, typing: active } = data as { user: Sender; typing: boolean };
      typing.heard(user, active);
    },
    // Its fields stand beside `event`, as timer apps know them.
    timer: (frame) => countdown.heard(frame as unknown as TimerFrame),
    "timer.finished": ({ data }) => countdown.finished((data as { timer: TimerView }).timer),
    read: ({ data }) => events.emit("read", data as { user: Sender; seq: number }),
    "room.joined": ({ data }) => counted("joined", data as Coming),
    "room.left": ({ data }) => {
      const coming = data as Coming;
      if (!coming.removed || coming.user.id !== me()) counted("left", coming);
      else refused(new ParleyError("forbidden", "You were removed from this room"));
    },
    "room.reset": ({ data }) => {
      // The log is gone, and so may be this session's place in the room.
      log.lose();
      // Without a new epoch the room itself is gone: joining it again would make it again.
      if ((data as { epoch: string | null }).epoch === null)
        refused(new ParleyError("not_found", "This room was deleted"));
      else if (wanted) void settled();
    },
  };

  return {
    room,
    restore: pending.restore,
    position: () => (wanted ? log.position() : null),
    online(data) {
      typing.clear();
      log.stop();
      if (data && "epoch" in data) void joined(data);
      else if (data && wanted && !data.retryable) refused(ParleyError.of(data));
      // Not asked for in Register, or left meanwhile.
      void settled();
    },
    receive(frame) {
      if (!wanted && !log.live) {
        // For another tab, which is in the room; of no interest here but for the count.
        if (frame.event === "message")
          myRooms.heard(name, frame.data as Entry, (frame.data as Entry).sender.id === me());
        return;
      }
      if (frame.event.startsWith("message")) log.receive(frame.data as Entry);
      else handlers[frame.event]?.(frame);
    },
  };
}
