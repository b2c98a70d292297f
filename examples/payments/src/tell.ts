/** Tells Parley what the ledger owes, beside the transfers and never in their way. */
import type { Ledger } from "./ledger.ts";

export interface TellOptions {
  ledger: Ledger;
  /** notify's internal API: `http://127.0.0.1:9500`. */
  notifyUrl: string;
  /** The service token. */
  token: string;
  onRefused?: (key: string, why: string) => void;
}

const batchSize = 50;
const restMs = 50;
const afterFailureMs = 500;
const timeoutMs = 5_000;

export function startTelling({ ledger, notifyUrl, token, onRefused }: TellOptions): { stop(): Promise<void> } {
  let stopped = false;

  /** True once it needs no more telling. A repeat is harmless: the key makes it the same SMS. */
  const tell = async ({ key, phone, text }: ReturnType<Ledger["owed"]>[0]): Promise<boolean> => {
    const response = await fetch(`${notifyUrl}/v1/sms`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json", "idempotency-key": key },
      body: JSON.stringify({ to: phone, text, kind: "transactional" }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const said = await response.text();
    if (response.status === 202) return true;
    // Too many for now, or something is down: later. All else stays wrong however often it is said.
    if (response.status === 429 || response.status >= 500) return false;
    onRefused?.(key, said);
    return true;
  };

  const run = async () => {
    while (!stopped) {
      let failed = false;
      const some = ledger.owed(batchSize);
      await Promise.all(
        some.map(async (sms) => {
          if (await tell(sms).catch(() => false)) ledger.settled(sms.key);
          else failed = true;
        }),
      );
      const waitMs = failed ? afterFailureMs : some.length > 0 ? 0 : restMs;
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  };
  const running = run();
  return {
    async stop() {
      stopped = true;
      await running;
    },
  };
}
