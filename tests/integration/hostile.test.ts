// What nobody should do, case by case, with the answer that docs/hostile-cases.md promises; and after each: the processes are
// those they were, somebody else's messages go on, it was counted, and nothing secret stands in a log.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { startTestStack } from "../support/start-stack.ts";
import { connectTestClient, type TestClient } from "../support/websocket-client.ts";
import { doorCases } from "./hostile/door-cases.ts";
import { eventCases } from "./hostile/event-cases.ts";
import { createHostileWorld, type HostileCase, issuer } from "./hostile/hostile-case.ts";
import { httpCases, webhookSecret } from "./hostile/http-cases.ts";
import { startIssuer, tokenCases } from "./hostile/token-cases.ts";

const from = await startIssuer({ after });
const provider = createServer((request, response) => {
  request.resume();
  response.writeHead(200, { "content-type": "application/json" }).end("{}");
});
await new Promise<void>((ready) => provider.listen(0, "127.0.0.1", ready));
after(() => void provider.close());

const stack = await startTestStack(
  { after },
  {
    ...{ gateways: 2, chat: 1, presence: 1, timers: 1, notify: 1, sms: 1 },
    env: {
      ...{ TOKEN_JWKS_URL: from.url, TOKEN_ISSUER: issuer, ALLOWED_ORIGINS: "https://app.example", LOG_LEVEL: "debug" },
      // So many come from one address here.
      ADDRESS_CONNECTIONS_PER_SECOND: "100000",
      ...{ SMS_PROVIDER: "webhook", SMS_WEBHOOK_SECRET: webhookSecret },
      SMS_WEBHOOK_URL: `http://127.0.0.1:${(provider.address() as AddressInfo).port}/`,
    },
  },
);
const world = createHostileWorld(stack);
const groups: [name: string, cases: HostileCase[]][] = [
  ["Tokens", tokenCases(from)],
  ["The door: origins, HTTP, WebSocket", doorCases()],
  ["Events: fields, rooms, rights, limits", eventCases()],
  ["Internal APIs, fallback sessions, receipts", httpCases()],
];

const pidsOf = () => stack.rows().map(({ service, instance, pid }) => `${service} ${instance} ${pid}`);
const pids = pidsOf();
let bystander: TestClient;
let listener: TestClient;
let said = 0;
let count = 0;

before(async () => {
  bystander = await connectTestClient(`${stack.wsUrl(1)}/ws`);
  listener = await connectTestClient(`${stack.wsUrl(2)}/ws`);
  for (const client of [bystander, listener]) {
    await client.registerGuest();
    await client.request("JoinRoom", { room: "innocent" });
  }
});
after(() => {
  world.closeAll();
  for (const { socket } of [bystander, listener]) socket.terminate();
});

/** What the gateways have counted of events, refusals and connections. */
async function counted(): Promise<number> {
  let sum = 0;
  for (const { service, ports } of stack.rows()) {
    if (service !== "gateway") continue;
    const text = await (await fetch(`http://127.0.0.1:${ports.metrics}/metrics`)).text();
    for (const [, value] of text.matchAll(
      /^parley_gateway_(?:events|refusals|connections_refused|origins_refused|sessions_ended)_total(?:\{.*\})? (\d+)/gm,
    ))
      sum += Number(value);
  }
  return sum;
}

/** Somebody else says something, and somebody else hears it. */
async function othersGoOn(): Promise<void> {
  said++;
  await bystander.request("SendMessage", { room: "innocent", clientMessageId: `i${said}`, text: `${said}` });
  await listener.waitForEvent("message", ({ seq }) => seq === said);
}

for (const [name, cases] of groups) {
  describe(name, () => {
    for (const { what, answer, run } of cases) {
      test(`${what}: ${answer}`, async () => {
        assert.equal(await run(world), answer);
        world.closeAll();
        await othersGoOn();
        assert.deepEqual(pidsOf(), pids);
        // The innocent message counts as one.
        const now = await counted();
        assert.ok(now > count, "it was counted");
        count = now;
      });
    }
  });
}

test("nothing secret stands in any log: no token, key, phone number or text", () => {
  const lines = stack.lines().join("\n");
  assert.ok(lines.length > 1_000);
  assert.doesNotMatch(lines, /eyJ[\w-]{10,}\./, "a token");
  for (const secret of [stack.serviceToken, stack.tokenSecret, webhookSecret])
    assert.ok(!lines.includes(secret), "a secret");
  assert.doesNotMatch(lines, /\+49170\d/, "a phone number");
  assert.doesNotMatch(lines, /a word that no log may hold|Hello! Message/, "a text");
});

test("docs/hostile-cases.md lists every case with its answer", () => {
  const file = resolve(import.meta.dirname, "../../docs/hostile-cases.md");
  const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll(/[\r\n]+/g, " ");
  const parts = groups.map(([name, cases]) =>
    [
      `## ${name}`,
      "",
      "| what | answer |",
      "|---|---|",
      ...cases.map(({ what, answer }) => `| ${cell(what)} | ${cell(answer)} |`),
    ].join("\n"),
  );
  const all = groups.reduce((sum, [, cases]) => sum + cases.length, 0);
  const intro = `# Hostile cases\n\nWhat nobody should do, and what it is answered: ${all} cases that \`tests/integration/hostile.test.ts\` runs against real processes.\n\`UPDATE_DOCS=1 npm test -- hostile.test\` writes this page. Several hundred malformed frames more stand in \`tests/integration/hostile-frames.test.ts\`,\nand a fuzzer in \`tests/fuzz\`.\n`;
  const page = `${[intro, ...parts].join("\n\n").replace(/\n{3,}/g, "\n\n")}\n`;
  if (process.env.UPDATE_DOCS) writeFileSync(file, page);
  assert.ok(all >= 120, `${all} cases`);
  assert.equal(readFileSync(file, "utf8"), page);
});
