import type { Tracing } from "@parley/service-kit";
import type { Provider } from "./provider.ts";

/** The provider, with a span for each call about a traced record. */
export function traceProvider(provider: Provider, tracing: Tracing): Provider {
  return {
    ...provider,
    send: (...call) => {
      const span = tracing.child(`${provider.name}: send`);
      return span ? tracing.within(span, () => provider.send(...call)) : provider.send(...call);
    },
  };
}
