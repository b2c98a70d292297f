import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServerEvent, TimerFrame } from "@parley/protocol";
import { startTestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { connectTestClient } from "../support/websocket-client.ts";
import { whenReady } from "./kill-in-turn.ts";
import { pauseOutsideTransaction } from "./pause-outside-transaction.ts";

const rooms = Array.from({ length: 48 }, (_, i) => ({ room: `focus ${i}`, seconds: 3 + (i % 18) }));
/** After this long a silence a timer worker is taken to be gone. */
const leaseMs = 1_700;
/** The promise, of which the silence is the most. */
const resumeWithinMs = 3_000;

interface Heard {
  atMs: number;
  frame: TimerFrame;
}

test("[T1] [T2] 48 timers that end all the while, their workers killed, stopped for three lease times and woken: ticks go on within 3 s and never back, each ends once", {
  timeout: 120_000,
}, async (t) => {
  const stack = await startTestStack(t, { timers: 2, loadTest: true });
  const heard = new Map<string, Heard[]>();
  const ends = new Map<string, ServerEvent[]>();
  const listen = async (gateway: number) => {
    const client = await connectTestClient(`${stack.wsUrl(gateway)}/ws`);
    t.after(() => client.socket.terminate());
    await client.registerGuest();
    client.socket.on("message", (data) => {
      const frame = JSON.parse(String(data)) as TimerFrame & ServerEvent;
      const key = `${gateway} ${frame.room}`;
      if (frame.event === "timer") heard.set(key, [...(heard.get(key) ?? []), { atMs: performance.now(), frame }]);
      else if ((frame.event as string) === "timer.finished") ends.set(key, [...(ends.get(key) ?? []), frame]);
    });
    for (const { room } of rooms) await client.request("JoinRoom", { room });
    return client;
  };
  const clients = [await listen(1), await listen(2)];
  const starts = await Promise.all(
    rooms.map(({ room, seconds }, i) => clients[i % 2]!.request("StartTimer", { room, duration: seconds })),
  );
  assert.equal(starts.length, rooms.length);

  const faults: { what: string; atMs: number }[] = [];
  const note = (what: string) => faults.push({ what, atMs: performance.now() });
  await sleep(2_000);
  note("SIGKILL of 1");
  stack.kill9("timer", 1);
  await sleep(resumeWithinMs);
  await whenReady(stack, "timer", 1);
  await pauseOutsideTransaction(stack, "timer", 2);
  note("SIGSTOP of 2");
  await sleep(3 * leaseMs);
  note("SIGCONT of 2");
  stack.resume("timer", 2);
  await sleep(3_000);
  note("SIGKILL of 2");
  stack.kill9("timer", 2);

  const keys = [1, 2].flatMap((gateway) => rooms.map(({ room }) => `${gateway} ${room}`));
  await waitFor("every timer's end", () => keys.every((key) => ends.has(key)), { timeoutMs: 60_000 });
  // What would come twice would come with the next tick at the latest.
  await sleep(1_500);

  for (const key of keys) {
    const frames = (heard.get(key) ?? []).map(({ frame }) => frame);
    frames.forEach((frame, i) => {
      const before = frames[i - 1];
      if (!before) return;
      const { version } = frame.timer;
      assert.ok(version >= before.timer.version, `${key}: version ${version} after ${before.timer.version}`);
      if (version === before.timer.version)
        assert.ok(frame.data <= before.data, `${key}: ${frame.data} after ${before.data}`);
    });
    assert.equal(frames.filter(({ timer }) => timer.state === "finished").length, 1, `${key}: last frames`);
    assert.equal(frames.at(-1)?.data, "00:00:00", key);
    assert.equal(ends.get(key)?.length, 1, `${key}: ends`);
  }
  for (const { what, atMs } of faults) {
    const resumed = [...heard.values()].flatMap((frames) => {
      const next = frames.find((each) => each.atMs > atMs);
      return next ? [next.atMs - atMs] : [];
    });
    const slowestMs = Math.max(0, ...resumed);
    t.diagnostic(`${what}: ${resumed.length} went on, the last after ${Math.round(slowestMs)} ms`);
    assert.ok(resumed.length > 0, `${what} came after all had ended`);
    assert.ok(slowestMs < resumeWithinMs, `${what}: a timer went on only after ${Math.round(slowestMs)} ms`);
  }
});
