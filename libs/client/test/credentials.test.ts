import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { connect, type TokenProvider } from "../src/index.ts";
import { startScriptedServer } from "./scripted-server.ts";
import { until } from "./until.ts";

/** As much of a JSON Web Token as the SDK looks at. */
function jwt(lifeMs: number): string {
  const nowSeconds = Date.now() / 1000;
  const payload = { iat: nowSeconds, exp: nowSeconds + lifeMs / 1000, jti: Math.random() };
  return `x.${Buffer.from(JSON.stringify(payload)).toString("base64url")}.x`;
}

async function start(t: TestContext, token: TokenProvider) {
  const server = await startScriptedServer();
  const client = connect({ url: server.url, token });
  t.after(async () => {
    await client.close();
    await server.stop();
  });
  const tokens = (event: string) =>
    server.asked.filter((asked) => asked.event === event).map(({ requestData }) => requestData.token);
  return { server, client, tokens };
}

test("[S4] a token is renewed before its end, on the same connection, again and again", async (t) => {
  const given: { token: string; fresh: boolean }[] = [];
  const { client, tokens } = await start(t, async ({ fresh }) => {
    given.push({ token: jwt(1_000), fresh });
    return given.at(-1)!.token;
  });
  const states: string[] = [];
  client.on("state", (state) => states.push(state));
  await until("two renewals", () => tokens("RefreshToken").length >= 2);
  assert.deepEqual(
    given.slice(0, 3).map(({ fresh }) => fresh),
    [false, true, true],
  );
  assert.deepEqual(
    tokens("RefreshToken"),
    given.slice(1, 1 + tokens("RefreshToken").length).map(({ token }) => token),
  );
  assert.equal(tokens("Register").length, 1);
  assert.deepEqual(states, ["online"]);
});

test("a refused token is asked for once more, fresh; refused again, it is the end", async (t) => {
  const asked: boolean[] = [];
  const { server, client } = await start(t, ({ fresh }) => {
    asked.push(fresh);
    return fresh ? "token-of-ada" : "token-that-is-old";
  });
  server.setScript(({ event, requestData }) =>
    event === "Register" && requestData.token === "token-that-is-old" ? { refuse: "unauthorized" } : undefined,
  );
  await client.ready();
  assert.deepEqual(asked, [false, true]);
  server.setScript(({ event }) => (event === "Register" ? { refuse: "unauthorized" } : undefined));
  server.cut(4005);
  await until("the end", () => client.state === "closed");
  assert.equal(client.snapshot().error?.code, "unauthorized");
});

test("4005: the next registration is with a fresh token", async (t) => {
  const asked: boolean[] = [];
  const { server, client } = await start(t, ({ fresh }) => {
    asked.push(fresh);
    return "token-of-ada";
  });
  await client.ready();
  server.cut(4005);
  await until("back", () => asked.length === 2 && client.state === "online");
  assert.deepEqual(asked, [false, true]);
});

test("a provider that fails is asked again: no token for the moment is not the end", async (t) => {
  let failures = 0;
  const { client } = await start(t, async () => {
    if (failures++ < 2) throw new Error("the backend is away");
    return "token-of-ada";
  });
  await client.ready();
  assert.equal(failures, 3);
});
