import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  type Actor,
  type Bus,
  connectBus,
  createRequester,
  decodeJsonAnswer,
  encodeJsonRequest,
  encodeRights,
  type JsonAnswer,
  partitionCount,
  partitionOf,
  promised,
  readRecords,
  subjects,
  type TimerRequest,
  watchWorkers,
} from "@parley/bus";
import type { TimerData, TimerFrame, TimerView } from "@parley/protocol";
import { createLogger, createMetrics } from "@parley/service-kit";
import { openStore, type RoomRecord, type Store, StoreUnavailable, type TimerRecord } from "@parley/store";
import { type Clock, startTimer } from "@parley/timer";
import { startTestNats } from "../support/start-nats.ts";
import { tempDir } from "../support/temp-dir.ts";
import { waitFor } from "../support/wait-for.ts";

const steps: (() => Promise<unknown> | unknown)[] = [];
const teardown = { after: (step: () => Promise<void> | void) => void steps.unshift(step) };
after(async () => {
  for (const step of steps) await step();
});
const nats = await startTestNats(teardown);
const store = await openStore(`sqlite:${join(tempDir(teardown), "parley.db")}`);
teardown.after(() => store.close());
const logger = createLogger({ service: "timer", instance: "1", level: "silent" });

/** A machine's clocks, moved by hand: `set` is what a person does to the one on the wall. */
function fakeClock() {
  let wallMs = 1_760_000_000_000;
  let monotonicMs = 50_000;
  return {
    wallMs: () => wallMs,
    monotonicMs: () => monotonicMs,
    pass: (ms: number) => {
      wallMs += ms;
      monotonicMs += ms;
    },
    set: (byMs: number) => {
      wallMs += byMs;
    },
  };
}

let nextWorker = 1;

async function startWorker(clock: Clock, over: Store = store, fewestPartitions = partitionCount) {
  const bus = await connectBus({ url: nats.url, role: "timer", name: "timer" });
  teardown.after(bus.close);
  const worker = await startTimer({
    ...{ bus, logger, clock, store: over },
    metrics: createMetrics({ service: "timer", version: "0.0.0", logger }),
    worker: `w${nextWorker++}`,
  });
  let stopped = false;
  const stop = async () => {
    if (stopped) return;
    stopped = true;
    await worker.stop();
    await bus.close();
  };
  teardown.after(stop);
  const { running } = worker.deps;
  await waitFor("the worker to have its partitions", () => running.loaded() >= fewestPartitions);
  return { ...worker.deps, stop };
}

const ada: Actor = { id: "ada", name: "Ada", guest: false, rights: encodeRights(["join", "send", "timer"]) };

async function makeRoom(name: string): Promise<RoomRecord> {
  const { room } = await store.rooms.create({
    ...{ name, key: Math.floor(Math.random() * 2 ** 40) + 1, visibility: "public", title: null, closed: false },
    ...{ receipts: false, retentionMs: null, retentionEntries: null, createdAtMs: 1, version: 1 },
  });
  await store.rooms.putMember(room.key, ada.id, {}, 1);
  return room;
}

/** What the room's subject carries, as gateways get it: nothing is held back here. */
function listen(bus: Bus, room: string): TimerFrame[] {
  const frames: TimerFrame[] = [];
  bus.nc.subscribe(subjects.room(room), {
    callback: (_error, msg) =>
      readRecords(msg.data, (_kind, _tag, _seq, frame) => frames.push(JSON.parse(frame.toString("utf8")))),
  });
  return frames;
}

async function connectGateway() {
  const bus = await connectBus({ url: nats.url, role: "gateway", name: "gateway" });
  const workers = watchWorkers(bus, "timer");
  const requester = createRequester<TimerRequest, JsonAnswer>({
    ...{ bus, workers, service: "timer", encode: encodeJsonRequest, decode: decodeJsonAnswer },
  });
  teardown.after(async () => {
    requester.close();
    workers.close();
    await bus.close();
  });
  const question = promised(requester);
  const ask = async (request: TimerRequest): Promise<TimerView> => {
    const answer = await question(partitionOf(request.room), request);
    if (answer.kind === "refused") throw Object.assign(new Error(answer.error), { code: answer.code });
    return (JSON.parse(answer.json) as TimerData).timer;
  };
  return { bus, ask };
}

let nextAsk = 1;
const start = (room: string, seconds: number, ask = `ask ${nextAsk++}`): TimerRequest => ({
  ...{ kind: "start", room, user: ada, ask, durationMs: seconds * 1_000 },
});

test("[T1] the machine's clock is set an hour either way: what runs goes on as if nothing was, also with the next worker", async () => {
  const { bus, ask } = await connectGateway();
  for (const stepMs of [3_600_000, -3_600_000]) {
    const clock = fakeClock();
    const worker = await startWorker(clock);
    const { name: room, key } = await makeRoom(`clock ${stepMs}`);
    const frames = listen(bus, room);
    await bus.nc.flush();
    const passSeconds = async (seconds: number) => {
      for (let i = 0; i < seconds * 20; i++) {
        clock.pass(50);
        worker.running.turn();
      }
    };
    await ask(start(room, 600));
    await passSeconds(3);
    clock.set(stepMs);
    await passSeconds(2);
    await worker.running.check();
    await passSeconds(2);
    await waitFor("seven ticks", () => frames.some(({ data }) => data === "00:09:53"));
    const times = [...new Set(frames.map(({ data }) => data))];
    const expected = ["10:00", "09:59", "09:58", "09:57", "09:56", "09:55", "09:54", "09:53"];
    assert.deepEqual(
      times,
      expected.map((time) => `00:${time}`),
    );
    const [stored] = await store.timers.find([room]);
    assert.equal(stored?.endsAtMs, clock.wallMs() + 593_000);
    assert.equal(stored?.key, key);

    // A new worker of this machine has but the clock as it is now.
    await worker.stop();
    const next = await startWorker(clock);
    await waitFor("the next worker's tick", () => next.running.get(room));
    const held = next.running.get(room);
    assert.ok(held && Math.abs(held.remainingMs - 593_000) < 1);
    await next.stop();
  }
});

test("[T1] a worker that stood still emits nothing of what it held: it reads the store first", async () => {
  const { bus, ask } = await connectGateway();
  const clock = fakeClock();
  const worker = await startWorker(clock);
  const { name: room } = await makeRoom("standstill");
  const frames = listen(bus, room);
  await bus.nc.flush();
  await ask(start(room, 600));
  for (let i = 0; i < 40; i++) {
    clock.pass(50);
    worker.running.turn();
  }
  await waitFor("two ticks", () => frames.some(({ data }) => data === "00:09:58"));
  // Meanwhile somebody else looked after the timer, and stopped it.
  const [stored] = await store.timers.find([room]);
  assert.ok(stored);
  const settings = { state: "stopped", endsAtMs: null, remainingMs: 5_000, version: stored.version + 1 } as const;
  assert.equal(await store.timers.put({ ...stored, ...settings }), true);
  const before = frames.length;
  clock.pass(6_000);
  worker.running.turn();
  assert.equal(worker.running.counts.standstills, 1);
  await waitFor("the timers to be read again", () => worker.running.loaded() === partitionCount);
  assert.equal(worker.running.get(room), null);
  await bus.nc.flush();
  assert.equal(frames.length, before);
  await worker.stop();
});

test("[T2] an event that is carried out twice counts once; of an end nothing is lost while the store is away", async () => {
  const { bus, ask } = await connectGateway();
  const clock = fakeClock();
  let away = 0;
  const shaky: Store = {
    ...store,
    timers: {
      ...store.timers,
      put: (record, before) => {
        if (away > 0 && away--) return Promise.reject(new StoreUnavailable("away"));
        return store.timers.put(record, before);
      },
    },
  };
  const worker = await startWorker(clock, shaky);
  const { name: room } = await makeRoom("shaky");
  const frames = listen(bus, room);
  await bus.nc.flush();
  const request = start(room, 2);
  const first = await ask(request);
  assert.deepEqual(await ask(request), first);
  await assert.rejects(ask(start(room, 2)), { code: "timer_already_started" });

  away = 3;
  for (let seconds = 0; seconds < 6; seconds++) {
    for (let i = 0; i < 20; i++) {
      clock.pass(50);
      worker.running.turn();
    }
    // What the store is asked for has its answer before the next second.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await waitFor("the end", () => frames.some(({ event }) => (event as string) === "timer.finished"));
  assert.equal(away, 0);
  assert.deepEqual(
    frames.map(({ event, data }) => (typeof data === "string" ? data : event)),
    ["00:00:02", "00:00:01", "00:00:00", "timer.finished"],
  );
  await worker.stop();
});

test("[T2] a worker that hangs while another does its work: what it carries out late is carried out, and refused, no more", async () => {
  const { ask } = await connectGateway();
  const { name: room } = await makeRoom("late copies");
  let holder: string | null = null;
  const held = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const readLate: Promise<unknown>[] = [];
  const storedLate: TimerRecord[] = [];
  /** Whoever of the two reads the timer first waits until it is released. */
  const hanging = (worker: string): Store => ({
    ...store,
    timers: {
      ...store.timers,
      find: async (rooms) => {
        if (rooms.includes(room) && (holder ?? worker) === worker) {
          holder = worker;
          held.resolve();
          const reading = release.promise.then(() => store.timers.find(rooms));
          readLate.push(reading);
          return reading;
        }
        return store.timers.find(rooms);
      },
      put: (record, before) => {
        if (holder === worker && record.room === room) storedLate.push(record);
        return store.timers.put(record, before);
      },
    },
  });
  const clock = fakeClock();
  const workers = [await startWorker(clock, hanging("a")), await startWorker(clock, hanging("b"), 1)];
  const starts = await Promise.allSettled([ask(start(room, 60)), ask(start(room, 90)), ask(start(room, 120))]);
  await held.promise;
  assert.deepEqual(
    starts.map((outcome) => (outcome.status === "fulfilled" ? outcome.value.state : outcome.reason.code)),
    ["running", "timer_already_started", "timer_already_started"],
  );
  const stopped = await ask({ kind: "stop", room, user: ada, ask: "stop it" });
  assert.equal(stopped.state, "stopped");
  const [before] = await store.timers.find([room]);
  // The first copies of all three starts are carried out now.
  release.resolve();
  for (let seen = 0; seen < readLate.length; ) {
    seen = readLate.length;
    await Promise.all(readLate);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(readLate.length >= 2, `${readLate.length} read late`);
  assert.deepEqual(storedLate, []);
  assert.deepEqual(await store.timers.find([room]), [before]);
  // And what is asked anew is carried out, by either.
  assert.equal((await ask(start(room, 30))).state, "running");
  for (const worker of workers) await worker.stop();
});

test("[T2] a worker that died between an end's storing and its telling: the next one tells it", async () => {
  const { bus } = await connectGateway();
  const clock = fakeClock();
  const { name: room, key } = await makeRoom("untold");
  const frames = listen(bus, room);
  await bus.nc.flush();
  const settings = {
    ...{ phase: "focus", round: 1, focusMs: 60_000, cycle: null, control: "anyone", notify: [] },
    ending: { version: 2, phase: "focus", round: 1, dueAtMs: clock.wallMs() - 500 },
  };
  const base = { room, key, partition: partitionOf(room), durationMs: 60_000, settings: JSON.stringify(settings) };
  const running = { ...base, state: "running", remainingMs: 60_000, endsAtMs: clock.wallMs() - 500 } as const;
  assert.equal(await store.timers.put({ ...running, endedAtMs: null, version: 1 }), true);
  const finished = { ...base, state: "finished", remainingMs: 0, endsAtMs: null } as const;
  assert.equal(await store.timers.put({ ...finished, endedAtMs: clock.wallMs() - 400, version: 2 }), true);
  const worker = await startWorker(clock);
  await waitFor("the end", () => frames.length >= 2);
  assert.deepEqual(
    frames.map(({ event, data }) => (typeof data === "string" ? data : event)),
    ["00:00:00", "timer.finished"],
  );
  await worker.stop();
});
