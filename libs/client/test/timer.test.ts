import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { TimerFrame, TimerView } from "@parley/protocol";
import fc from "fast-check";
import { connect } from "../src/index.ts";
import { createServerClock } from "../src/server-clock.ts";
import { startScriptedServer } from "./scripted-server.ts";
import { until } from "./until.ts";

function view(changes: Partial<TimerView> = {}): TimerView {
  return {
    state: "stopped",
    remainingMs: 60_000,
    endsAt: null,
    durationMs: 60_000,
    version: 1,
    phase: "focus",
    round: 1,
    focusMs: 60_000,
    cycle: null,
    control: "anyone",
    ...changes,
  };
}

/** A running timer as a server whose clock is `aheadMs` ahead tells it. */
const running = (remainingMs: number, aheadMs: number, version = 2): TimerView =>
  view({ state: "running", remainingMs, endsAt: new Date(Date.now() + aheadMs + remainingMs).toISOString(), version });

async function start(t: TestContext) {
  const server = await startScriptedServer();
  const client = connect({ url: server.url, guest: { name: "Ada" } });
  t.after(async () => {
    await client.close();
    await server.stop();
  });
  const room = client.room("r");
  await room.join();
  const tell = (timer: TimerView) =>
    server.tellAll({ event: "timer", room: "r", success: true, error: null, data: "", timer } as unknown as TimerFrame);
  return { server, client, room, timer: room.timer, tell };
}

test("a timer counts between ticks, whatever the device's clock says, and when ticks are lost", async (t) => {
  const countDown = async (aheadMs: number) => {
    const { timer, tell } = await start(t);
    assert.deepEqual(timer.snapshot(), { timer: null, time: "00:00:00", seconds: 0, notify: null });
    tell(running(2_400, aheadMs));
    const shown: string[] = [];
    timer.subscribe(() => {
      const { time } = timer.snapshot();
      if (shown.at(-1) !== time) shown.push(time);
    });
    await until("the end of what was told once", () => timer.snapshot().seconds === 0 && shown.length > 0);
    assert.deepEqual(shown, ["00:00:03", "00:00:02", "00:00:01", "00:00:00"]);
  };
  await Promise.all([-3_600_000, 0, 86_400_000].map(countDown));
});

test("[T1] what is shown never goes back within a version; an older version is passed over", async (t) => {
  const { timer, tell } = await start(t);
  tell(running(30_500, 0, 5));
  await until("the timer", () => timer.snapshot().seconds === 31);
  tell(running(35_500, 0, 5));
  tell(view({ version: 4 }));
  tell(running(20_500, 0, 6));
  await until("the later version", () => timer.snapshot().timer?.version === 6);
  assert.equal(timer.snapshot().seconds, 21);
  tell(view({ version: 7, remainingMs: 40_000 }));
  await until("the change", () => timer.snapshot().time === "00:00:40");
  assert.equal(timer.snapshot().timer?.state, "stopped");
});

test("[T2] an end is told once, however often it comes", async (t) => {
  const { server, timer } = await start(t);
  const ends: number[] = [];
  timer.on("finished", ({ version }) => ends.push(version));
  for (const version of [3, 3, 2, 5])
    server.tellAll({ event: "timer.finished", room: "r", data: { room: "r", timer: view({ version }) } });
  await until("the last end", () => ends.includes(5));
  assert.deepEqual(ends, [3, 5]);
});

test("calls give the timer, and refusals reject by their code", async (t) => {
  const { server, timer } = await start(t);
  server.setScript(({ event }) => {
    if (event === "StopTimer") return { refuse: "timer_already_stopped" };
    return event.endsWith("Timer") ? { timer: view({ version: 2 }), notify: true } : undefined;
  });
  assert.equal((await timer.start("00:01:00")).version, 2);
  assert.equal(timer.snapshot().notify, true);
  await timer.set({ duration: 60, cycle: { rounds: 3 } });
  const asked = server.asked.filter(({ event }) => event.endsWith("Timer")).map(({ requestData }) => requestData);
  assert.deepEqual(asked, [
    { room: "r", duration: "00:01:00" },
    { room: "r", duration: 60, cycle: { rounds: 3 } },
  ]);
  await assert.rejects(timer.stop(), { code: "timer_already_stopped" });
});

test("the server's clock is that of the frame that took the least time", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 3_000 }), { minLength: 1, maxLength: 30 }), (delays) => {
      let nowMs = 5_000;
      const clock = createServerClock(() => nowMs);
      const serverMs = () => nowMs + 1_000_000;
      for (const delayMs of delays) {
        const madeAtMs = serverMs();
        nowMs += delayMs;
        clock.heard(madeAtMs);
        nowMs += 1_000;
      }
      assert.equal(serverMs() - (clock.nowMs() as number), Math.min(...delays.slice(-8)));
    }),
  );
});

test("a change that was never heard is asked for, once the ticks stay away", async (t) => {
  const { server, timer, tell } = await start(t);
  const ends: number[] = [];
  timer.on("finished", ({ version }) => ends.push(version));
  server.setScript(({ event }) =>
    event === "GetTimer"
      ? { timer: view({ state: "finished", remainingMs: 0, version: 3 }), notify: false }
      : undefined,
  );
  tell(running(60_000, 0));
  await until("the question", () => timer.snapshot().timer?.state === "finished");
  assert.deepEqual([timer.snapshot().time, ends], ["00:00:00", [3]]);
});
