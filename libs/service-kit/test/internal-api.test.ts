import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { SignJWT } from "jose";
import { apiAccessOf, ConfigError, createInternalApi, createLogger, createMetrics, Type } from "../src/index.ts";

const [old, young] = ["the-first-secret-of-all", "the-secret-after-that-one"];
const logger = createLogger({ service: "test", instance: "1", level: "silent" });

async function api(t: TestContext, docsOpen = false) {
  const made = await createInternalApi({
    ...{ title: "Parley chat", description: "A test.", isReady: () => true },
    ...{ logger, metrics: createMetrics({ service: "test", version: "1", logger }), tracing: null },
    access: apiAccessOf({ INTERNAL_TOKEN: `${old}, ${young}`, INTERNAL_DOCS_OPEN: docsOpen }),
  });
  made.post(
    "/v1/echo",
    { schema: { body: Type.Object({ n: Type.Integer() }, { additionalProperties: false }) } },
    ({ body }) => body,
  );
  t.after(() => made.close());
  return made;
}

function signed(audience: string, secret = old!, expires: string | null = "1m"): Promise<string> {
  const token = new SignJWT({}).setProtectedHeader({ alg: "HS256" }).setAudience(audience);
  if (expires !== null) token.setExpirationTime(expires);
  return token.sign(new TextEncoder().encode(secret));
}

test("two secrets hold while one takes over from the other, and tokens for this service signed by either", async (t) => {
  const made = await api(t);
  const status = async (authorization?: string) =>
    (
      await made.inject({
        url: "/v1/echo",
        method: "POST",
        payload: { n: 1 },
        headers: authorization ? { authorization } : {},
      })
    ).statusCode;
  for (const good of [old, young, await signed("parley-chat"), await signed("parley-chat", young)])
    assert.equal(await status(`Bearer ${good}`), 200);
  const unsigned = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${Buffer.from('{"aud":"parley-chat","exp":9999999999}').toString("base64url")}.`;
  for (const wrong of [
    ...[undefined, "", "Bearer", "Bearer ", `Basic ${old}`, old, `Bearer ${old}x`, `Bearer ${old!.slice(0, -1)}`],
    ...[
      `Bearer ${old}, ${young}`,
      `Bearer ${await signed("parley-gateway")}`,
      `Bearer ${await signed("parley-chat", "the-secret-of-somebody-else")}`,
    ],
    ...[
      `Bearer ${await signed("parley-chat", old, "-1m")}`,
      `Bearer ${await signed("parley-chat", old, null)}`,
      `Bearer ${unsigned}`,
    ],
  ])
    assert.equal(await status(wrong), 401, String(wrong));
});

test("what is no small JSON of the right shape is refused before it is read", async (t) => {
  const made = await api(t);
  const authorization = `Bearer ${old}`;
  const post = async (payload: string | object, headers: Record<string, string> = {}) =>
    (await made.inject({ url: "/v1/echo", method: "POST", payload, headers: { authorization, ...headers } }))
      .statusCode;
  assert.equal(await post({ n: "x" }), 400);
  assert.equal(await post({ n: 1, isAdmin: true }), 400);
  assert.equal(await post("{", { "content-type": "application/json" }), 400);
  assert.equal(await post('{"n":1,"__proto__":{"x":1}}', { "content-type": "application/json" }), 400);
  assert.equal(await post("<n>1</n>", { "content-type": "text/xml" }), 415);
  assert.equal(await post({ n: 1, pad: "x".repeat(300_000) }), 413);
  assert.equal((await made.inject({ url: "/v1/echo", method: "POST", payload: "x".repeat(300_000) })).statusCode, 401);
});

test("the page and the description of the API ask for the token, unless the operator opens them", async (t) => {
  const closed = await api(t);
  for (const url of ["/docs", "/docs/", "/openapi.json", "/docs/static/index.html"]) {
    assert.equal((await closed.inject({ url })).statusCode, 401, url);
    const shown = (await closed.inject({ url, headers: { authorization: `Bearer ${old}` } })).statusCode;
    assert.notEqual(shown, 401, url);
  }
  for (const url of ["/healthz", "/readyz"]) assert.equal((await closed.inject({ url })).statusCode, 200);
  const open = await api(t, true);
  assert.equal((await open.inject({ url: "/openapi.json" })).statusCode, 200);
  assert.equal((await open.inject({ url: "/v1/echo", method: "POST" })).statusCode, 401);
});

test("a secret that is too short is a fault of the settings", () => {
  assert.throws(() => apiAccessOf({ INTERNAL_TOKEN: `${old},short`, INTERNAL_DOCS_OPEN: false }), ConfigError);
  assert.throws(() => apiAccessOf({ INTERNAL_TOKEN: `${old},`, INTERNAL_DOCS_OPEN: false }), ConfigError);
});
