/** What the bus needs of tracing: to start a span where something leaves, and to go on with it where it arrives. */
import { headers, type MsgHdrs } from "@nats-io/nats-core";

export interface BusSpan {
  /** As the W3C's header of that name. */
  readonly traceparent: string;
  end(error?: unknown): void;
}

/** Off where it is null, so that the path of messages pays one look at a null for it. service-kit's Tracing fits. */
export interface BusTracing {
  /** A span within the one under way, or the first of a trace; null when this one is not sampled. */
  start(name: string): BusSpan | null;
  /** A span within the one under way; null where none is. */
  child(name: string): BusSpan | null;
  /** A span that goes on from elsewhere. */
  follow(traceparent: string, name: string): BusSpan;
  /** Runs `work` within the span and ends the span with it. */
  within<T>(span: BusSpan, work: () => Promise<T>): Promise<T>;
}

const one = "traceparent";
/** A batch has several requests: `index:traceparent` of each that is traced, with commas between. */
const many = "Parley-Traces";

export function headersOf(traceparent: string): MsgHdrs {
  const made = headers();
  made.set(one, traceparent);
  return made;
}

export const traceparentOf = (given: MsgHdrs | undefined): string | null => given?.get(one) || null;

/** Null where none is traced. */
export function headersOfBatch(spans: readonly (BusSpan | null)[]): MsgHdrs | null {
  const traces = spans.flatMap((span, i) => (span ? [`${i}:${span.traceparent}`] : []));
  if (traces.length === 0) return null;
  const made = headers();
  made.set(many, traces.join(","));
  return made;
}

/** Index in the batch → traceparent. */
export function tracesOfBatch(given: MsgHdrs | undefined): Map<number, string> | null {
  const text = given?.get(many);
  if (!text) return null;
  const traces = new Map<number, string>();
  for (const each of text.split(",")) {
    const colon = each.indexOf(":");
    traces.set(Number(each.slice(0, colon)), each.slice(colon + 1));
  }
  return traces;
}
