/** Takes one record a step on: reads it, decides (state.ts), writes the decision down, and only then acts on it. */
import type { SmsRecord, SmsStore } from "@parley/store";
import type { Provider } from "./providers/provider.ts";
import { applyOutcome, nextStep, type Outcome, type Policy } from "./state.ts";

export interface DeliverOptions {
  store: SmsStore;
  provider: Provider;
  policy: Policy;
  /** How long the provider may take for one call. */
  providerTimeoutMs: number;
  /** Told of each attempt's outcome. */
  onOutcome?: (outcome: Outcome, record: SmsRecord, tookMs: number) => void;
}

export interface Deliver {
  /** Looks at a record; answers when to look again, or null when nothing is left to do. */
  step(id: string): Promise<number | null>;
  /** Writes down what became of a record; answers it as it is then, or null where it is absent. */
  settle(id: string, outcome: Outcome): Promise<SmsRecord | null>;
}

const outcomeTries = 20;

export function createDeliver(options: DeliverOptions): Deliver {
  const { store, provider, policy, providerTimeoutMs } = options;

  const settle = async (id: string, outcome: Outcome): Promise<SmsRecord | null> => {
    for (;;) {
      const record = await store.find(id);
      if (record === null) return null;
      const changes = applyOutcome(record, outcome, Date.now(), policy, Math.random());
      if (changes === null) return record;
      const changed = await store.change(id, record.version, changes);
      if (changed !== null) return changed;
    }
  };

  /** What the provider said must not get lost because the store is away for a moment: it would count as unknown. */
  const settleSurely = async (id: string, outcome: Outcome): Promise<SmsRecord | null> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await settle(id, outcome);
      } catch (error) {
        if (attempt === outcomeTries) throw error;
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
  };

  const send = async (record: SmsRecord): Promise<Outcome> => {
    const startedAtMs = performance.now();
    const signal = AbortSignal.timeout(providerTimeoutMs);
    const late = new Promise<Outcome>((resolve) => {
      // Some time later, so that a provider which heeds the signal may say what it knows.
      const giveUp = () => resolve({ kind: "uncertain", error: "The provider did not answer in time" });
      signal.addEventListener("abort", () => setTimeout(giveUp, 500), { once: true });
    });
    const outcome = await Promise.race([provider.send(record, signal), late]);
    options.onOutcome?.(outcome, record, performance.now() - startedAtMs);
    return outcome;
  };

  const lookUp = async (record: SmsRecord): Promise<Outcome | null> => {
    const { id, to, text, createdAtMs } = record;
    const signal = AbortSignal.timeout(providerTimeoutMs);
    // A provider that can't be asked now is asked again later.
    return (await provider.lookUp?.({ id, to, text, sinceMs: createdAtMs }, signal).catch(() => null)) ?? null;
  };

  return {
    settle,
    async step(id) {
      for (;;) {
        const record = await store.find(id);
        if (record === null) return null;
        const step = nextStep(record, Date.now(), policy, provider.name);
        if (step.do === "nothing") return null;
        if (step.do === "wait") return step.untilMs;
        if (step.do === "send" && (await store.isOptedOut(record.to))) {
          const ended = {
            status: "failed",
            error: "This number opted out",
            dueAtMs: null,
            updatedAtMs: Date.now(),
          } as const;
          if (await store.change(id, record.version, ended)) return null;
          continue;
        }
        const changed = await store.change(id, record.version, step.changes);
        // Somebody else was quicker: look again at what it is now.
        if (changed === null) continue;
        if (step.do === "record") return changed.dueAtMs;
        if (step.do === "send") return (await settleSurely(id, await send(changed)))?.dueAtMs ?? null;
        const found = await lookUp(changed);
        return (found ? await settle(id, found) : changed)?.dueAtMs ?? null;
      }
    },
  };
}
