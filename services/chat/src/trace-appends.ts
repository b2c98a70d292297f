import type { BusTracing } from "@parley/bus";
import type { Appender, Lane } from "./append.ts";

/** The appender, with a span for each append of a traced request: from when it is handed over until it is stored and published. */
export function traceAppends<L extends Lane>(appender: Appender<L>, tracing: BusTracing): Appender<L> {
  return {
    ...appender,
    append: (lane, draft) => {
      const span = tracing.child("chat worker: store");
      if (!span) return appender.append(lane, draft);
      return tracing.within(span, () => appender.append(lane, { ...draft, traceparent: span.traceparent }));
    },
  };
}
