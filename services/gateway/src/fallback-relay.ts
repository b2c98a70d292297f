/**
 * Calls for fallback sessions that another node holds. The node that got the call sends it on; the owner's outlet comes
 * back as messages to an inbox: a whole answer, or pieces of a stream, each of which is asked for, so that a slow client
 * slows its session's node and fills nobody's memory.
 */
import type { Msg, Subscription } from "@nats-io/nats-core";
import { type Bus, subjects } from "@parley/bus";
import { unknownSession } from "./fallback-session.ts";
import { errorJson, type Outlet } from "./outlet.ts";

/** A call whose key was found right. */
export type FallbackCall = { session: string } & (
  | { op: "poll" | "stream"; after: number }
  | { op: "send"; body: string }
  | { op: "end" }
);

/** To the owner, about a call under way, by its inbox. */
type Note = { note: "more" | "gone"; inbox: string };

/** From the owner: what its outlet was told. Texts beyond what NATS carries come in parts, `more` to follow. */
type Told =
  | { kind: "taken" }
  | { kind: "answer"; status: number; text: string; more: boolean }
  | { kind: "write"; text: string; more: boolean }
  | { kind: "end" };

export interface FallbackRelay {
  /** Has another node carry out a call. */
  forward(node: string, call: FallbackCall, outlet: Outlet): void;
  close(): void;
}

const partChars = 128 * 1024;
/** An owner that does not answer at all. */
const takenWithinMs = 3_000;
/** An owner that lives says something sooner: a poll ends, a stream has comments. */
const quietMs = 40_000;
/** How often an owner is asked whether it lives, while calls of its are open here. */
const probeEveryMs = 2_000;

const unavailable = errorJson("unavailable", "The node that holds this session does not answer; try again");

interface Forwarded {
  node: string;
  outlet: Outlet;
  subscription: Subscription;
  taken: boolean;
  /** When the owner last said something, or was asked. */
  heardAtMs: number;
  text: string;
}

export function createFallbackRelay(options: {
  bus: Bus;
  node: string;
  carryOut: (call: FallbackCall, outlet: Outlet) => void;
  onError: (error: unknown, what: string) => void;
}): FallbackRelay {
  const { bus, node } = options;
  /** Calls from other nodes, by inbox. */
  const served = new Map<string, Outlet>();
  /** Calls to other nodes, by inbox. */
  const forwarded = new Map<string, Forwarded>();

  const tell = (inbox: string, told: Told) => bus.publish(inbox, JSON.stringify(told));
  const tellText = (inbox: string, make: (text: string, more: boolean) => Told, text: string) => {
    for (let at = 0; ; at += partChars) {
      const more = at + partChars < text.length;
      tell(inbox, make(text.slice(at, at + partChars), more));
      if (!more) return;
    }
  };

  /** The owner's side of a call. */
  const createBusOutlet = (inbox: string): Outlet => {
    const over = () => served.delete(inbox);
    return {
      answer(status, json) {
        if (over()) tellText(inbox, (text, more) => ({ kind: "answer", status, text, more }), json);
      },
      write(text) {
        if (served.has(inbox)) tellText(inbox, (part, more) => ({ kind: "write", text: part, more }), text);
        return false;
      },
      end() {
        if (over()) tell(inbox, { kind: "end" });
      },
      drop: () => void over(),
      onReady: () => {},
      onGone: () => {},
    };
  };

  const hearNote = ({ note, inbox }: Note) => {
    const outlet = served.get(inbox);
    if (note === "more") return outlet?.onReady();
    served.delete(inbox);
    outlet?.onGone();
  };

  const serve = (msg: Msg) => {
    // A probe: that somebody listens is the answer.
    if (msg.data.length === 0) return;
    const call = msg.json<FallbackCall | Note>();
    if ("note" in call) return hearNote(call);
    const inbox = msg.reply as string;
    const outlet = createBusOutlet(inbox);
    served.set(inbox, outlet);
    tell(inbox, { kind: "taken" });
    options.carryOut(call, outlet);
  };

  const calls = bus.nc.subscribe(subjects.fallback(node), {
    callback: (error, msg) => {
      if (error) return;
      try {
        serve(msg);
      } catch (cause) {
        options.onError(cause, "a fallback call from another node failed");
      }
    },
  });

  const forget = (inbox: string): Forwarded | undefined => {
    const call = forwarded.get(inbox);
    call?.subscription.unsubscribe();
    forwarded.delete(inbox);
    return call;
  };

  /** The owner is gone, and its sessions with it; or it can't be reached. */
  const fail = (inbox: string, status: number, json: string) => {
    const call = forget(inbox);
    call?.outlet.answer(status, json);
    call?.outlet.end();
  };

  const noResponders = (msg: Msg) => msg.data.length === 0 && msg.headers?.code === 503;

  const hear = (inbox: string, msg: Msg) => {
    const call = forwarded.get(inbox);
    if (!call) return;
    if (noResponders(msg)) return fail(inbox, 401, unknownSession);
    const told = msg.json<Told>();
    call.taken = true;
    call.heardAtMs = performance.now();
    if (told.kind === "taken") return;
    if (told.kind === "end") {
      forget(inbox);
      return call.outlet.end();
    }
    call.text += told.text;
    if (told.more) return;
    const { text } = call;
    call.text = "";
    if (told.kind === "answer") {
      forget(inbox);
      call.outlet.answer(told.status, text);
    } else if (call.outlet.write(text)) send(call.node, { note: "more", inbox });
  };

  const send = (owner: string, what: Note) => bus.publish(subjects.fallback(owner), JSON.stringify(what));

  const forward = (owner: string, call: FallbackCall, outlet: Outlet) => {
    if (!bus.isConnected()) return outlet.answer(503, unavailable);
    const inbox = bus.inbox();
    const subscription = bus.nc.subscribe(inbox, {
      callback: (error, msg) => {
        if (!error) hear(inbox, msg);
      },
    });
    forwarded.set(inbox, { node: owner, outlet, subscription, taken: false, heardAtMs: performance.now(), text: "" });
    outlet.onReady = () => send(owner, { note: "more", inbox });
    outlet.onGone = () => forget(inbox) && send(owner, { note: "gone", inbox });
    bus.publish(subjects.fallback(owner), JSON.stringify(call), inbox);
  };

  /** A node that was killed says nothing: NATS tells that nobody listens any more. */
  const probe = (owner: string) => {
    const inbox = bus.inbox();
    const subscription = bus.nc.subscribe(inbox, {
      max: 1,
      callback: (error, msg) => {
        if (error || !noResponders(msg)) return;
        for (const [each, call] of [...forwarded]) if (call.node === owner) fail(each, 401, unknownSession);
      },
    });
    setTimeout(() => subscription.unsubscribe(), probeEveryMs).unref();
    bus.publish(subjects.fallback(owner), new Uint8Array(0), inbox);
  };

  const probing = setInterval(() => {
    if (forwarded.size === 0) return;
    const nowMs = performance.now();
    const owners = new Set<string>();
    for (const [inbox, { node: owner, taken, heardAtMs }] of [...forwarded]) {
      if (nowMs - heardAtMs > (taken ? quietMs : takenWithinMs)) fail(inbox, 503, unavailable);
      else owners.add(owner);
    }
    if (bus.isConnected()) for (const owner of owners) probe(owner);
  }, probeEveryMs);

  return {
    forward,
    close() {
      clearInterval(probing);
      calls.unsubscribe();
      for (const inbox of [...forwarded.keys()]) fail(inbox, 503, unavailable);
    },
  };
}
