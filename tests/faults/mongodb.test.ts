import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startTestMongodb, whyNoMongodb } from "../support/start-mongodb.ts";
import { startTestStack, type TestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { startFaultyLink } from "./faulty-link.ts";
import { startTalk } from "./store-away.ts";
import { startTraffic } from "./traffic.ts";

const skip =
  (await whyNoMongodb()) ?? (process.env.MONGODB_URL ? "the server that MONGODB_URL names is not ours to kill" : false);
const timeout = 120_000;

/** More messages are acknowledged than now: sends go on. */
const goesOn = (what: string, acknowledged: () => number) => {
  const before = acknowledged();
  return waitFor(`sends to go on ${what}`, () => acknowledged() > before + 20, { timeoutMs: 40_000 });
};

test("[R1] [R2] [R3] [R4] MongoDB killed with SIGKILL three times under load, and started again: nothing lost, nothing twice, in order", {
  skip,
  timeout,
}, async (t) => {
  const stack = await startTestStack(t, { loadTest: true, store: "mongodb" });
  let kills = 0;
  const traffic = await startTraffic(t, stack, { rooms: 10, messages: 800, perSecond: 150, enough: () => kills >= 3 });
  for (; kills < 3; kills++) {
    // What is acknowledged before that was stored before the kill, and a server that is not there can't be killed.
    await waitFor("its restart", () => stack.restarts("mongodb", 1) >= kills);
    await goesOn(`after ${kills} kills`, traffic.acknowledged);
    stack.kill9("mongodb", 1);
  }
  await traffic.check();
  t.diagnostic(
    `${traffic.acknowledged()} messages, ${traffic.refusals()} refusals, ${stack.restarts("mongodb", 1)} restarts`,
  );
});

/** A stack whose way to its MongoDB breaks as told. */
async function startBehindLink(
  t: TestContext,
  gateways: number,
): Promise<{ stack: TestStack; link: Awaited<ReturnType<typeof startFaultyLink>> }> {
  const server = await startTestMongodb(t);
  const link = await startFaultyLink(t, Number(new URL(server.url).port));
  const env = { STORE_URL: `mongodb://127.0.0.1:${link.port}/behind-a-link` };
  return { stack: await startTestStack(t, { loadTest: true, gateways, env }), link };
}

test("[R1] [R2] [R3] [R4] as in a failover: every connection to MongoDB is cut in the midst of writes, then none is let in for a while, over and over under load", {
  skip,
  timeout,
}, async (t) => {
  const { stack, link } = await startBehindLink(t, 2);
  let rounds = 0;
  const traffic = await startTraffic(t, stack, { rooms: 10, messages: 800, perSecond: 150, enough: () => rounds >= 4 });
  for (; rounds < 4; rounds++) {
    await goesOn(`in round ${rounds}`, traffic.acknowledged);
    if (rounds % 2 === 0) {
      link.cut();
      continue;
    }
    link.refuse();
    // As long as an election takes.
    await sleep(2_500);
    link.mend();
  }
  await traffic.check();
  t.diagnostic(`${traffic.acknowledged()} messages, ${traffic.refusals()} refusals`);
});

test("[R1] [R3] [E1] MongoDB falls silent: sends are refused as unavailable within 10 s, typing goes on, and sends go on by themselves", {
  skip,
  timeout,
}, async (t) => {
  const { stack, link } = await startBehindLink(t, 1);
  const talk = await startTalk(t, stack);

  link.stall();
  const tookMs = await talk.checkRefused();

  link.mend();
  const { reply } = await waitFor(
    "sends to go on",
    async () => {
      const reply = await talk.send();
      return reply.success && { reply: reply.data as { seq: number } };
    },
    { timeoutMs: 30_000 },
  );
  assert.equal(reply.seq, 2, "what was refused is there once, whether by its first sending or by its repeat");
  await talk.listener.waitForEvent("message", (event) => "seq" in event && event.seq === 2);
  t.diagnostic(`refused after ${Math.round(tookMs)} ms`);
});
