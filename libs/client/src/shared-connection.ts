import { createCalls, replyTimeoutMs } from "./call.ts";
import { type Connection, type ConnectionEvents, type ConnectionSnapshot, initialSnapshot } from "./connection.ts";
import { createEmitter } from "./emitter.ts";
import { ParleyError } from "./errors.ts";
import { errorOf, hold, openTabChannel, type TabAsk, type TabTold, type Without } from "./tab-channel.ts";
import { createTabLeader, type TabLeader } from "./tab-leader.ts";

/**
 * One connection for all tabs of a group: the tab that has the group's lock makes it, the others ask through that tab, and
 * when it is closed the next one makes its own. Each tab has its rooms and its outbox to itself.
 */
export function createSharedConnection(make: () => Connection, group: string): Connection {
  const events = createEmitter<ConnectionEvents>();
  const me = Math.random().toString(36).slice(2);
  const channel = openTabChannel(group);
  const ended = new AbortController();
  const answers = new Map<number, (answer: { data?: unknown; error?: ParleyError }) => void>();
  let snapshot = initialSnapshot;
  let era = 0;
  let lastId = 0;
  let opened = false;
  /** Set while this tab has the connection. */
  let leading: { connection: Connection; leader: TabLeader } | null = null;
  let following: string | null = null;
  let followedEra = 0;

  const isOnline = () => (leading ? leading.connection.isOnline() : snapshot.readyState === 1);

  function update(next: ConnectionSnapshot) {
    const before = snapshot.state;
    snapshot = next;
    events.emit("change", undefined);
    if (snapshot.state !== before) events.emit("state", snapshot.state);
  }

  function online(data: ConnectionEvents["online"]) {
    era++;
    events.emit("online", data);
  }

  function offline(code: number) {
    const error = ParleyError.disconnected();
    events.emit("offline", { code });
    for (const settle of [...answers.values()]) settle({ error });
  }

  /** The tab that had the connection is gone. */
  function orphaned() {
    if (snapshot.readyState !== 1) return;
    update({ ...snapshot, state: "reconnecting", readyState: 0 });
    offline(4001);
  }

  /** A tab that takes over is no new client: it was connected, and is about to be again. */
  function goingOn(next: ConnectionSnapshot): ConnectionSnapshot {
    if (next.state !== "connecting" || !snapshot.user) return next;
    return { ...next, state: "reconnecting", user: snapshot.user, hello: snapshot.hello };
  }

  function lead() {
    const connection = make();
    following = null;
    orphaned();
    connection.on("change", () => update(goingOn(connection.snapshot())));
    connection.on("state", (state) => state === "closed" && ended.abort());
    connection.on("offline", ({ code }) => offline(code));
    connection.on("event", (frame) => events.emit("event", frame));
    leading = { connection, leader: createTabLeader(connection, () => snapshot, channel, group, me) };
    // After the leader, which must know the session's rooms before the others are asked for.
    connection.on("online", online);
    connection.open();
  }

  function follow(told: TabTold) {
    if (told.to !== undefined && told.to !== me) return;
    if (told.leader !== following) {
      following = told.leader;
      followedEra = 0;
      orphaned();
      say({ kind: "here" });
    }
    if (told.kind === "snapshot") {
      update({ ...told.snapshot, error: told.error && errorOf(told.error) });
      if (snapshot.state === "closed") end();
    } else if (told.kind === "online") {
      // Told to all, and to each who asked.
      if (told.era !== followedEra) online(told.data);
      followedEra = told.era;
    } else if (told.kind === "offline") offline(told.code);
    else if (told.kind === "event") events.emit("event", told.frame);
    else answers.get(told.id)?.({ data: told.data, error: told.error && errorOf(told.error) });
  }

  const say = (what: Without<TabAsk, "from">) => channel.postMessage({ ...what, from: me } as TabAsk);

  function request<Data>(event: string, requestData: unknown, timeoutMs = replyTimeoutMs): Promise<Data> {
    if (leading) return leading.leader.ask<Data>(event, requestData, timeoutMs);
    if (!isOnline()) return Promise.reject(ParleyError.disconnected());
    return new Promise((resolve, reject) => {
      const id = ++lastId;
      const settle = ({ data, error }: { data?: unknown; error?: ParleyError }) => {
        clearTimeout(timer);
        answers.delete(id);
        if (error) reject(error);
        else resolve(data as Data);
      };
      const late = new ParleyError("timeout", `No answer to ${event} in ${timeoutMs} ms`, true);
      const timer = setTimeout(settle, timeoutMs, { error: late });
      answers.set(id, settle);
      say({ kind: "ask", id, event, requestData, timeoutMs });
    });
  }

  function end() {
    ended.abort();
    channel.close();
  }

  return {
    on: events.on,
    snapshot: () => snapshot,
    isOnline,
    era: () => era,
    ...createCalls({ on: events.on, snapshot: () => snapshot, isOnline, request }),
    request,
    open() {
      if (opened || ended.signal.aborted) return;
      opened = true;
      channel.onmessage = ({ data }) => {
        if ("leader" in data) follow(data);
      };
      // Its own first, so that whoever leads can tell when this tab is gone.
      hold(`${group} ${me}`, ended.signal, () => {
        say({ kind: "here" });
        hold(group, ended.signal, lead);
      });
    },
    async close() {
      if (leading) await leading.leader.close();
      else update({ ...snapshot, state: "closed", readyState: 3, nextTryAtMs: null });
      end();
    },
  };
}
