import { signatureHeader, signBody } from "@parley/service-kit";
import { SignJWT } from "jose";
import { beginFallback } from "../../support/fallback-client.ts";
import { waitFor } from "../../support/wait-for.ts";
import { type HostileCase, type HostileWorld, statusOf } from "./hostile-case.ts";

export const webhookSecret = "the secret of the webhook, for these tests";

/** Internal APIs, fallback sessions, and the provider's callbacks. */
export function httpCases(): HostileCase[] {
  const serviceToken = (secret: string, audience: string, expires = "1m") =>
    new SignJWT({})
      .setProtectedHeader({ alg: "HS256" })
      .setAudience(audience)
      .setExpirationTime(expires)
      .sign(new TextEncoder().encode(secret));
  const internal = (
    what: string,
    answer: string,
    request: (
      world: HostileWorld,
    ) => Promise<{ path?: string; method?: string; headers: Record<string, string>; body?: string }>,
  ): HostileCase => ({
    what: `internal API: ${what}`,
    answer,
    run: async (world) => {
      const { path = "/v1/rooms", ...rest } = await request(world);
      return statusOf(`${world.stack.internalUrl("chat", 1)}${path}`, rest);
    },
  });
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const json = { "content-type": "application/json" };
  const post = (what: string, answer: string, body: string, type = "application/json"): HostileCase =>
    internal(what, answer, async ({ stack }) => ({
      ...{ method: "POST", body },
      headers: {
        ...bearer(stack.serviceToken),
        "content-type": type,
        "content-length": String(Buffer.byteLength(body)),
      },
    }));
  const fallback = (
    what: string,
    call: (base: string, session: string, key: string) => Promise<string>,
  ): HostileCase => ({
    what: `fallback: ${what}`,
    answer: "401",
    run: async ({ stack }) => {
      const [mine, victim] = await Promise.all([1, 2].map((gateway) => beginFallback(stack.httpUrl(gateway))));
      return call(stack.httpUrl(1), victim!.session, mine!.key);
    },
  });
  const receipt = (what: string, answer: string, sign: (body: string) => string | undefined): HostileCase => ({
    what: `receipt: ${what}`,
    answer,
    run: async ({ stack }) => {
      const id = await sentSms(stack);
      const body = JSON.stringify({ id, status: "delivered" });
      const signature = sign(body);
      const response = await fetch(`${stack.internalUrl("sms", 1)}/v1/callbacks/webhook`, {
        ...{ method: "POST", body },
        headers: { ...json, ...(signature === undefined ? {} : { [signatureHeader]: signature }) },
      });
      return `${response.status}, ${await smsStatus(stack, id)}`;
    },
  });
  return [
    internal("no token", "401", async () => ({ headers: {} })),
    internal("an empty token", "401", async () => ({ headers: { authorization: "Bearer " } })),
    internal("a wrong token", "401", async () => ({ headers: bearer("0".repeat(64)) })),
    internal("the token cut by one", "401", async ({ stack }) => ({
      headers: bearer(stack.serviceToken.slice(0, -1)),
    })),
    internal("a token for another service", "401", async ({ stack }) => ({
      headers: bearer(await serviceToken(stack.serviceToken, "parley-gateway")),
    })),
    internal("a token that has run out", "401", async ({ stack }) => ({
      headers: bearer(await serviceToken(stack.serviceToken, "parley-chat", "-1m")),
    })),
    internal("a user's token", "401", async ({ token }) => ({
      headers: bearer(await token("--user", "ada", "--roles", "admin")),
    })),
    internal("a token for this service, to compare with", "200", async ({ stack }) => ({
      headers: bearer(await serviceToken(stack.serviceToken, "parley-chat")),
    })),
    internal("CRLF in the path", "401", async () => ({ path: "/v1/rooms%0d%0aX-Evil:%201", headers: {} })),
    internal("a path out of the page's folder", "404", async ({ stack }) => ({
      path: "/docs/static/..%2f..%2f..%2fpackage.json",
      headers: bearer(stack.serviceToken),
    })),
    post("a body of 1 MiB", "413", JSON.stringify({ name: "x".repeat(1024 * 1024), visibility: "public" })),
    post("a body that is no JSON", "400", "{"),
    post("a body of another type", "415", "<room/>", "text/xml"),
    post("a field of the wrong type", "400", '{"name":["x"],"visibility":"public"}'),
    post("a field nobody knows", "400", '{"name":"x","visibility":"public","owner":"mallory"}'),
    post("the key __proto__", "400", '{"name":"x","visibility":"public","__proto__":{"a":1}}'),
    internal("a limit of 10^9", "400", async ({ stack }) => ({
      path: "/v1/rooms?limit=1000000000",
      headers: bearer(stack.serviceToken),
    })),
    internal("a cursor of -1", "400", async ({ stack }) => ({
      path: "/v1/rooms/x/messages?after=-1",
      headers: bearer(stack.serviceToken),
    })),
    fallback("polled with another's key", (base, session, key) =>
      statusOf(`${base}/fallback/${session}/poll?after=0`, { headers: bearer(key) }),
    ),
    fallback("streamed with another's key", (base, session, key) =>
      statusOf(`${base}/fallback/${session}/stream`, { headers: bearer(key) }),
    ),
    fallback("sent to with another's key", (base, session, key) =>
      statusOf(`${base}/fallback/${session}/send`, {
        method: "POST",
        headers: { ...bearer(key), ...json },
        body: '{"event":"Heartbeat"}',
      }),
    ),
    fallback("ended with another's key", (base, session, key) =>
      statusOf(`${base}/fallback/${session}`, { method: "DELETE", headers: bearer(key) }),
    ),
    fallback("polled without a key", (base, session) => statusOf(`${base}/fallback/${session}/poll?after=0`)),
    fallback("polled with the key in the address", (base, session, key) =>
      statusOf(`${base}/fallback/${session}/poll?after=0&key=${key}`),
    ),
    fallback("a session nobody has", (base, _session, key) =>
      statusOf(`${base}/fallback/g1-00000000.AAAA/poll?after=0`, { headers: bearer(key) }),
    ),
    fallback("a session named like a subject", (base, _session, key) =>
      statusOf(`${base}/fallback/${encodeURIComponent("parley.>.x")}/poll?after=0`, { headers: bearer(key) }),
    ),
    receipt("signed, to compare with", "204, delivered", (body) => signBody(webhookSecret, body)),
    receipt("not signed", "403, sent", () => undefined),
    receipt("signed with another secret", "403, sent", (body) => signBody("another secret altogether", body)),
    receipt("signed for another body", "403, sent", () => signBody(webhookSecret, "{}")),
    receipt("signed an hour ago", "403, sent", (body) => signBody(webhookSecret, body, Date.now() - 3_600_000)),
    receipt("signed an hour from now", "403, sent", (body) => signBody(webhookSecret, body, Date.now() + 3_600_000)),
    receipt("a signature that is none", "403, sent", () => "t=1,v1=x"),
    {
      what: "receipt: the same one again, and one that says failed after it",
      answer: "204, 204, delivered",
      run: async ({ stack }) => {
        const id = await sentSms(stack);
        const statuses: number[] = [];
        for (const status of ["delivered", "delivered"]) {
          const body = JSON.stringify({ id, status });
          const headers = { ...json, [signatureHeader]: signBody(webhookSecret, body) };
          const response = await fetch(`${stack.internalUrl("sms", 1)}/v1/callbacks/webhook`, {
            method: "POST",
            body,
            headers,
          });
          statuses.push(response.status);
        }
        const late = JSON.stringify({ id, status: "failed" });
        await fetch(`${stack.internalUrl("sms", 1)}/v1/callbacks/webhook`, {
          ...{ method: "POST", body: late },
          headers: { ...json, [signatureHeader]: signBody(webhookSecret, late) },
        });
        return `${statuses.join(", ")}, ${await smsStatus(stack, id)}`;
      },
    },
  ];
}

type Stack = HostileWorld["stack"];

let lastKey = 0;

/** An SMS that the provider has taken; gives its id. */
async function sentSms(stack: Stack): Promise<string> {
  const response = await fetch(`${stack.internalUrl("notify", 1)}/v1/sms`, {
    method: "POST",
    headers: {
      ...{ authorization: `Bearer ${stack.serviceToken}`, "content-type": "application/json" },
      "idempotency-key": `hostile-${++lastKey}`,
    },
    body: JSON.stringify({
      to: `+49170${1_000_000 + lastKey}`,
      text: "a word that no log may hold",
      kind: "transactional",
    }),
  });
  const { id } = (await response.json()) as { id: string };
  await waitFor("the SMS to be sent", async () => (await smsStatus(stack, id)) === "sent", { timeoutMs: 20_000 });
  return id;
}

async function smsStatus(stack: Stack, id: string): Promise<string> {
  const headers = { authorization: `Bearer ${stack.serviceToken}` };
  const response = await fetch(`${stack.internalUrl("notify", 1)}/v1/sms/${id}`, { headers });
  return ((await response.json()) as { status: string }).status;
}
