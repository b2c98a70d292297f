import assert from "node:assert/strict";
import { test } from "node:test";
import { connect as connectNats } from "@nats-io/transport-node";
import { subjects, type TimerFinished } from "@parley/bus";
import type { ServerEvent, TimerData, TimerFrame, TimerView } from "@parley/protocol";
import { startTestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { connectTestClient, type TestClient } from "../support/websocket-client.ts";

const framesOf = (client: TestClient, room: string): TimerFrame[] =>
  client.events.filter((event) => event.event === "timer" && event.room === room) as unknown as TimerFrame[];

const endsOf = (client: TestClient, room: string): ServerEvent<{ room: string; timer: TimerView }>[] =>
  client.events.filter((event) => event.event === "timer.finished" && event.room === room) as never;

const start = (client: TestClient, room: string, duration?: string | number) =>
  client.request<TimerData>("StartTimer", { room, duration });

/** Of one version seconds only fall; versions only grow. */
function assertOrder(frames: TimerFrame[]): void {
  frames.forEach((frame, i) => {
    const before = frames[i - 1];
    if (!before) return;
    const { version } = frame.timer;
    assert.ok(version >= before.timer.version, `version ${version} after ${before.timer.version}`);
    if (version === before.timer.version) assert.ok(frame.data <= before.data, `${frame.data} after ${before.data}`);
  });
}

test("timers", async (t) => {
  const stack = await startTestStack(t, { timers: 1 });
  const users = new Map<TestClient, string>();
  const connect = async (gateway: number, room?: string) => {
    const client = await connectTestClient(`${stack.wsUrl(gateway)}/ws`);
    t.after(() => client.socket.terminate());
    const { user } = await client.registerGuest(`Guest of ${gateway}`);
    users.set(client, user.id);
    if (room) await client.request("JoinRoom", { room });
    return client;
  };
  const api = (path: string, init: { method?: string; body?: unknown } = {}) =>
    fetch(`${stack.internalUrl("timer", 1)}${path}`, {
      method: init.method ?? "GET",
      headers: {
        Authorization: `Bearer ${stack.serviceToken}`,
        ...(init.body === undefined ? {} : { "Content-Type": "application/json" }),
      },
      ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
    });

  await t.test("[T1] [T2] a timer is started in one place, ticks in all, and ends once", async () => {
    const room = "focus";
    const ada = await connect(1, room);
    const bob = await connect(2, room);
    const { timer, notify } = await start(ada, room, "00:00:03");
    assert.equal(notify, false);
    assert.equal(timer.state, "running");
    assert.equal(timer.durationMs, 3_000);
    assert.ok(timer.remainingMs > 2_000 && timer.remainingMs <= 3_000);
    assert.ok(Math.abs(Date.parse(timer.endsAt as string) - Date.now() - timer.remainingMs) < 1_000);
    for (const client of [ada, bob]) {
      await client.waitForEvent("timer.finished", (event) => event.room === room);
      const frames = framesOf(client, room);
      assert.deepEqual(
        frames.map(({ data }) => data),
        ["00:00:03", "00:00:02", "00:00:01", "00:00:00"],
      );
      for (const { eventType, success, error } of frames)
        assert.deepEqual([eventType, success, error], ["ServerEvent", true, null]);
      assert.deepEqual(
        frames.map((frame) => frame.timer.state),
        ["running", "running", "running", "finished"],
      );
      assert.equal(frames[1]?.timer.remainingMs, 2_000);
      const [end] = endsOf(client, room);
      assert.deepEqual(end?.data.room, room);
      assert.deepEqual([end?.data.timer.state, end?.data.timer.endsAt], ["finished", null]);
    }
    // A round trip later there is still one end.
    await ada.request("GetTimer", { room });
    assert.equal(endsOf(ada, room).length, 1);
  });

  await t.test("stopping keeps what remains; both errors go to the asker alone", async () => {
    const room = "pause";
    const ada = await connect(1, room);
    const bob = await connect(2, room);
    await start(ada, room);
    const again = await bob.send("StartTimer", { room });
    assert.deepEqual(
      [again.success, again.error, again.code, again.retryable, again.data],
      [false, "Timer already started", "timer_already_started", false, null],
    );
    await bob.waitForEvent("timer", (event) => (event as unknown as TimerFrame).data === "00:24:59");
    const { timer } = await bob.request<TimerData>("StopTimer", { room });
    assert.equal(timer.state, "stopped");
    assert.equal(timer.endsAt, null);
    assert.ok(timer.remainingMs < 1_499_500 && timer.remainingMs > 1_490_000);
    const stopped = await ada.send("StopTimer", { room });
    assert.deepEqual([stopped.error, stopped.code], ["Timer already stopped", "timer_already_stopped"]);
    const { timer: shown } = await ada.request<TimerData>("GetTimer", { room });
    assert.deepEqual(shown, timer);
    const { timer: on } = await start(ada, room);
    assert.ok(Math.abs(on.remainingMs - timer.remainingMs) < 500);
    const { timer: reset } = await ada.request<TimerData>("ResetTimer", { room, duration: 90 });
    assert.deepEqual([reset.state, reset.remainingMs, reset.durationMs], ["stopped", 90_000, 90_000]);
    for (const client of [ada, bob]) {
      await client.waitForEvent("timer", (event) => (event as unknown as TimerFrame).timer.version === reset.version);
      assertOrder(framesOf(client, room));
      assert.ok(framesOf(client, room).every(({ success }) => success));
    }
  });

  await t.test("who joins is shown the timer at once, and nothing where there is none", async () => {
    const room = "late";
    const ada = await connect(1, room);
    assert.deepEqual(framesOf(ada, room), []);
    const { timer: untouched } = await ada.request<TimerData>("GetTimer", { room });
    assert.deepEqual(
      [untouched.state, untouched.remainingMs, untouched.version, untouched.cycle],
      ["stopped", 1_500_000, 0, null],
    );
    await ada.request("SetTimer", { room, duration: "01:00:00" });
    const bob = await connect(2, room);
    const standing = (await bob.waitForEvent("timer")) as unknown as TimerFrame;
    assert.deepEqual([standing.data, standing.timer.state, standing.room], ["01:00:00", "stopped", room]);
    await start(ada, room);
    const eve = await connect(2, room);
    const running = (await eve.waitForEvent("timer")) as unknown as TimerFrame;
    assert.deepEqual([running.timer.state, running.timer.durationMs], ["running", 3_600_000]);
    assert.ok(eve.events.findIndex((event) => event.event === "timer") > 0);
  });

  await t.test("a cycle goes on by itself, without drift", async () => {
    const room = "pomodoro";
    const ada = await connect(1, room);
    const cycle = { shortBreak: 1, longBreak: 2, rounds: 2 };
    const { timer: set } = await ada.request<TimerData>("SetTimer", { room, duration: 1, cycle });
    assert.deepEqual(set.cycle, { shortBreakMs: 1_000, longBreakMs: 2_000, rounds: 2, auto: true });
    const { timer } = await start(ada, room);
    const begins = Date.parse(timer.endsAt as string) - 1_000;
    await waitFor("five phases", () => endsOf(ada, room).length >= 5, { timeoutMs: 20_000 });
    const phases = endsOf(ada, room).map(({ data }) => [data.timer.phase, data.timer.round]);
    assert.deepEqual(phases.slice(0, 5), [
      ["focus", 1],
      ["shortBreak", 1],
      ["focus", 2],
      ["longBreak", 2],
      ["focus", 1],
    ]);
    const sixth = await waitFor("the sixth phase", () =>
      framesOf(ada, room).find(({ timer: { state, phase, round } }, i, all) => {
        const ends = all.slice(0, i).filter((frame) => frame.timer.state === "finished").length;
        return ends === 5 && state === "running" && phase === "shortBreak" && round === 1;
      }),
    );
    assert.equal(Date.parse(sixth.timer.endsAt as string) - begins, 7_000);
    await ada.request("ResetTimer", { room });
    assertOrder(framesOf(ada, room));
  });

  await t.test("[T2] start and stop raced by 50 clients on two gateways: one winner each", async () => {
    const room = "race";
    const clients = await Promise.all(Array.from({ length: 50 }, (_, i) => connect((i % 2) + 1, room)));
    for (const [event, error] of [
      ["StartTimer", "Timer already started"],
      ["StopTimer", "Timer already stopped"],
      ["StartTimer", "Timer already started"],
    ] as const) {
      const replies = await Promise.all(clients.map((client) => client.send(event, { room })));
      assert.equal(replies.filter(({ success }) => success).length, 1, event);
      for (const reply of replies) if (!reply.success) assert.equal(reply.error, error);
    }
    // All were shown the three changes, and nothing else.
    const changesOf = (client: TestClient) => {
      const states = framesOf(client, room).map(({ timer: { state } }) => state);
      return states.filter((state, i) => state !== states[i - 1]);
    };
    for (const client of clients) {
      await waitFor("the three changes", () => changesOf(client).length >= 3);
      assert.deepEqual(changesOf(client), ["running", "stopped", "running"]);
      assertOrder(framesOf(client, room));
    }
  });

  await t.test("bad input is refused, and told what was wrong", async () => {
    const room = "hostile";
    const wrong: [unknown, RegExp][] = [
      [-5, /from 00:00:01 to 99:59:59/],
      [0, /from 00:00:01 to 99:59:59/],
      [360_000, /from 00:00:01 to 99:59:59/],
      ["100:00:00", /"HH:mm:ss"/],
      ["25:99", /"HH:mm:ss"/],
      ["00:25:99", /minutes and seconds up to 59/],
      ["00:00:00", /from 00:00:01/],
      [1.5, /whole seconds/],
      [{}, /whole seconds/],
    ];
    for (const event of ["StartTimer", "ResetTimer", "SetTimer"]) {
      const ada = await connect(1, room);
      for (const [duration, told] of wrong) {
        const reply = await ada.send(event, { room, duration });
        assert.equal(reply.code, "bad_request", `${event} ${duration}`);
        assert.match(reply.error as string, told);
      }
    }
    const ada = await connect(1, room);
    for (const [fields, told] of [
      [{}, /at least one of/],
      [{ cycle: "yes" }, /cycle must be/],
      [{ cycle: { rounds: 0 } }, /cycle.rounds/],
      [{ cycle: { rounds: 101 } }, /cycle.rounds must be from 1 to 100/],
      [{ cycle: { shortBreak: "5" } }, /cycle.shortBreak must be/],
      [{ control: "me" }, /control must be one of anyone, members, moderators/],
      [{ notify: 1 }, /notify must be true or false/],
    ] as const) {
      const reply = await ada.send("SetTimer", { room, ...fields });
      assert.equal(reply.code, "bad_request", JSON.stringify(fields));
      assert.match(reply.error as string, told);
    }
    assert.equal((await ada.send("StartTimer", {})).code, "bad_request");
    assert.equal((await ada.request<TimerData>("GetTimer", { room })).timer.version, 0);
  });

  await t.test("[R8] a timer is for those in the room; its setting says who controls it", async () => {
    const room = "mine";
    const ada = await connect(1, room);
    const eve = await connect(2);
    for (const event of ["StartTimer", "StopTimer", "ResetTimer", "GetTimer"]) {
      const outside = await eve.send(event, { room });
      assert.deepEqual([outside.code, outside.error], ["forbidden", "Join the room first"], event);
      assert.equal((await eve.send(event, { room: "never made" })).code, "forbidden", event);
    }
    const governed = await ada.send("SetTimer", { room, control: "anyone" });
    assert.match(governed.error as string, /Only moderators say/);
    const patch = await api(`/v1/timers/${room}`, { method: "PATCH", body: { control: "members" } });
    assert.equal(((await patch.json()) as TimerView).control, "members");
    assert.equal((await ada.send("StartTimer", { room })).error, "Guests do not control this room's timer");
    await api(`/v1/timers/${room}`, { method: "PATCH", body: { control: "moderators" } });
    assert.equal((await ada.send("StartTimer", { room })).error, "Only moderators control this room's timer");
    assert.equal((await ada.send("SetTimer", { room, notify: true })).success, true);
  });

  await t.test("the internal API lists, shows, sets, starts, stops and resets", async () => {
    const room = "by API";
    const ada = await connect(1, room);
    const path = `/v1/timers/${encodeURIComponent(room)}`;
    const started = await api(`${path}/start`, { method: "POST", body: { duration: "02:00:00" } });
    assert.equal(started.status, 200);
    assert.equal(((await started.json()) as TimerView).durationMs, 7_200_000);
    await ada.waitForEvent("timer", (event) => (event as unknown as TimerFrame).data === "02:00:00");
    const again = await api(`${path}/start`, { method: "POST" });
    assert.deepEqual(
      [again.status, await again.json()],
      [409, { error: "Timer already started", code: "timer_already_started" }],
    );
    assert.equal((await api(`${path}/stop`, { method: "POST" })).status, 200);
    assert.equal((await api(`${path}/stop`, { method: "POST" })).status, 409);
    assert.equal((await api(`${path}/reset`, { method: "POST" })).status, 200);
    const wrong = await api(`${path}/start`, { method: "POST", body: { duration: "25:99" } });
    assert.deepEqual([wrong.status, ((await wrong.json()) as { code: string }).code], [400, "bad_request"]);
    const cycle = await api(path, { method: "PATCH", body: { cycle: { rounds: 3, auto: false } } });
    assert.equal(((await cycle.json()) as TimerView).cycle?.rounds, 3);
    assert.equal((await api(path, { method: "PATCH", body: {} })).status, 400);
    assert.equal((await api("/v1/timers/nowhere")).status, 404);
    assert.equal(((await (await api(path)).json()) as { room: string }).room, room);
    const listed: string[] = [];
    for (let after: string | null = ""; after !== null; ) {
      const page = await (await api(`/v1/timers?limit=2${after && `&after=${encodeURIComponent(after)}`}`)).json();
      const { timers, next } = page as { timers: { room: string }[]; next: string | null };
      listed.push(...timers.map((timer) => timer.room));
      after = next;
    }
    assert.ok(listed.includes(room) && listed.includes("focus"));
    const document = (await (await api("/openapi.json")).json()) as { paths: object };
    for (const route of ["/v1/timers", "/v1/timers/{room}", "/v1/timers/{room}/start"])
      assert.ok(route in document.paths, route);
  });

  await t.test("a room that is deleted takes its timer with it; the next of its name has none", async () => {
    const room = "short-lived";
    const ada = await connect(1, room);
    await start(ada, room);
    await fetch(`${stack.internalUrl("chat", 1)}/v1/rooms/${room}`, {
      method: "DELETE",
      headers: { Authorization: `Bearer ${stack.serviceToken}` },
    });
    await ada.waitForEvent("room.reset");
    const bob = await connect(2, room);
    const { timer } = await bob.request<TimerData>("GetTimer", { room });
    assert.equal(timer.version, 0);
    await start(bob, room, 2);
    await bob.waitForEvent("timer.finished");
    assert.deepEqual(
      framesOf(bob, room).map(({ data }) => data),
      ["00:00:02", "00:00:01", "00:00:00"],
    );
  });

  await t.test("those who asked are handed over to whoever notifies, until that is answered", async () => {
    const room = "ring me";
    const nc = await connectNats({ servers: stack.engines.nats?.url as string });
    t.after(() => nc.close());
    const taken: TimerFinished[] = [];
    nc.subscribe(subjects.timerFinished(), {
      queue: "notify",
      callback: (_error, msg) => {
        taken.push(msg.json<TimerFinished>());
        // The first one is left unanswered: it comes again.
        if (taken.length > 1) msg.respond();
      },
    });
    await nc.flush();
    const ada = await connect(1, room);
    const bob = await connect(2, room);
    const asked = await ada.request<TimerData>("SetTimer", { room, notify: true });
    assert.equal(asked.notify, true);
    assert.equal((await bob.request<TimerData>("GetTimer", { room })).notify, false);
    await start(bob, room, 1);
    await waitFor("the second try", () => taken.length >= 2, { timeoutMs: 20_000 });
    assert.deepEqual(taken[1], taken[0]);
    assert.deepEqual(taken[0]?.users, [users.get(ada)]);
    assert.equal(taken[0]?.room, room);
  });
});
