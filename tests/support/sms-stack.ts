import type { SmsStatus } from "@parley/store";
import { startTestProvider } from "./sms-provider.ts";
import { startTestStack, type TestStack } from "./start-stack.ts";
import type { Teardown } from "./teardown.ts";
import { waitFor } from "./wait-for.ts";

/** What the provider and we share. */
export const secret = "the provider's shared secret";
/** A number of its own for each SMS, so that no limit for one number is met. */
export const number = (n: number): string => `+1202555${String(1_000 + (n % 9_000)).padStart(4, "0")}`;

export interface SmsAnswer {
  status: number;
  body: { id: string; status: SmsStatus; duplicate: boolean; error?: string; code?: string };
}

export interface SmsApi {
  send(body: unknown, key?: string): Promise<SmsAnswer>;
  statusOf(id: string): Promise<{ status: SmsStatus; attempts: number; error: string | null }>;
  get(path: string): Promise<{ status: number; body: Record<string, unknown> }>;
  call(
    service: string,
    method: string,
    path: string,
    body?: string,
    headers?: Record<string, string>,
  ): Promise<SmsAnswer>;
}

function smsApi(stack: TestStack): SmsApi {
  const call = async (service: string, method: string, path: string, body?: string, headers = {}) => {
    const response = await fetch(stack.internalUrl(service, 1) + path, {
      method,
      headers: {
        authorization: `Bearer ${stack.serviceToken}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    return { status: response.status, body: text ? JSON.parse(text) : {} };
  };
  return {
    call,
    send: (body, key) =>
      call("notify", "POST", "/v1/sms", JSON.stringify(body), key === undefined ? {} : { "idempotency-key": key }),
    statusOf: async (id) => (await call("notify", "GET", `/v1/sms/${id}`)).body as never,
    get: (path) => call("sms", "GET", path) as never,
  };
}

/** notify and sms with a counting provider; an attempt counts as cut short after eight seconds. */
export async function startSmsStack(t: Teardown, env: Record<string, string> = {}) {
  const provider = await startTestProvider(t);
  const stack = await startTestStack(t, {
    ...{ gateways: 0, chat: 0, notify: 1, sms: 1 },
    env: {
      SMS_PROVIDER: "webhook",
      SMS_WEBHOOK_URL: provider.url,
      SMS_WEBHOOK_SECRET: secret,
      SMS_TIMEOUT_MS: "3000",
      SMS_RETRY_MS: "100",
      SMS_SWEEP_EVERY_MS: "500",
      SMS_TRANSACTIONAL_PER_SECOND: "1000",
      SMS_BULK_PER_SECOND: "1000",
      SMS_PER_NUMBER: "1000000",
      SMS_BLOCKED_COUNTRIES: "KP",
      ...env,
    },
  });
  return { provider, stack, api: smsApi(stack) };
}

/** Ends of an SMS, for good or until word comes. */
const ended = new Set<SmsStatus>(["sent", "delivered", "failed", "unknown"]);

/** What became of each, once all have ended. */
export async function statusesOf(api: SmsApi, ids: string[], timeoutMs = 60_000): Promise<Map<string, SmsStatus>> {
  const statuses = new Map<string, SmsStatus>();
  await waitFor(
    "every SMS to end",
    async () => {
      await Promise.all(
        ids.map(async (id) => {
          if (!ended.has(statuses.get(id) as SmsStatus)) statuses.set(id, (await api.statusOf(id)).status);
        }),
      );
      return ids.every((id) => ended.has(statuses.get(id) as SmsStatus));
    },
    { timeoutMs, everyMs: 250 },
  );
  return statuses;
}

export const timesTaken = (taken: string[], id: string): number => taken.filter((each) => each === id).length;
