import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bufferedFrames, createFallbackSession, outliveMs } from "../src/fallback-session.ts";
import type { Outlet } from "../src/outlet.ts";
import type { Session } from "../src/session.ts";

interface Heard {
  id: number;
  /** Its own number, or null for `resume_required`. */
  n: number | null;
}

/** An outlet that keeps what it gets, and takes as much at a time as it is told to. */
function createTestOutlet() {
  const outlet = {
    status: null as number | null,
    text: "",
    ended: false,
    takes: true,
    answer(status: number, json: string) {
      outlet.status = status;
      outlet.text = json;
      outlet.ended = true;
    },
    write(text: string) {
      outlet.text += text;
      return outlet.takes;
    },
    end() {
      outlet.ended = true;
    },
    drop: () => outlet.end(),
    onReady: () => {},
    onGone: () => {},
  };
  return outlet satisfies Outlet;
}

const frameOf = (n: number, pad = ""): string => `{"event":"x","n":${n},"pad":"${pad}"}`;

function readStream(text: string): Heard[] {
  return [...text.matchAll(/id: (\d+)\ndata: (.*)\n\n/g)].map(([, id, data]) => {
    const { n = null } = JSON.parse(data as string) as { n?: number };
    return { id: Number(id), n };
  });
}

function readPoll(text: string): { heard: Heard[]; next: number; lost: boolean } {
  const body = JSON.parse(text) as { frames: { id: number; frame: { n: number } }[]; next: number; code?: string };
  const heard = body.frames.map(({ id, frame }) => ({ id, n: frame.n }));
  return { heard, next: body.next, lost: body.code === "resume_required" };
}

function open(waitingBytes = 1024 * 1024) {
  const closed: Session[] = [];
  const fallback = createFallbackSession({
    ...{ id: "node.x", hello: frameOf(1), eventsBurst: 100, waitingBytes },
    opened: () => {},
    closed: (session) => {
      session.stage = "closed";
      closed.push(session);
    },
    listen: () => {},
    unlisten: () => {},
    publish: () => {},
  });
  return { fallback, link: fallback.session.link, closed };
}

/** What is handed over in a turn leaves at its end. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

test("[S7] whatever is asked for in whatever way, a client hears all in order, each once, or is told that some is lost", async () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant("send" as const), count: fc.integer({ min: 1, max: 400 }) }),
      fc.record({ kind: fc.constantFrom("poll", "stream", "stop", "break", "ready", "stuff") }),
    ),
    { maxLength: 40 },
  );
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const { fallback, link } = open();
      let sent = 1;
      let after = 0;
      let current: ReturnType<typeof createTestOutlet> | null = null;
      let way: "poll" | "stream" = "poll";
      const take = () => {
        if (!current || (way === "poll" && current.status === null)) return;
        if (way === "poll") {
          assert.equal(current.status, 200);
          const { heard, next, lost } = readPoll(current.text);
          if (heard[0]) assert.equal(heard[0].id > after + 1, lost);
          heard.forEach(({ id, n }, i) => {
            assert.equal(id, n);
            assert.equal(id, (heard[0] as Heard).id + i);
          });
          assert.ok(next >= after);
          after = next;
          current = null;
          return;
        }
        for (const { id, n } of readStream(current.text)) {
          if (n === null) assert.ok(id > after, "a gap is one");
          else assert.deepEqual([id, n], [after + 1, after + 1]);
          after = id;
        }
        current.text = "";
      };
      for (const step of all) {
        if (step.kind === "send") for (let i = 0; i < step.count; i++) link.send(frameOf(++sent));
        else if (step.kind === "poll" || step.kind === "stream") {
          const before = current;
          take();
          current = createTestOutlet();
          fallback[step.kind](after, current);
          if (before) assert.ok(before.ended, "the one before is ended");
          way = step.kind;
        } else if (step.kind === "break") {
          take();
          current?.onGone();
          current = null;
        } else if (step.kind === "stuff" && current) current.takes = false;
        else if (step.kind === "ready" && current) {
          current.takes = true;
          current.onReady();
        }
        await turn();
        take();
      }
      const last = createTestOutlet();
      take();
      fallback.stream(after, last);
      await turn();
      current = last;
      way = "stream";
      take();
      assert.equal(after, sent, "in the end it is at the last one");
    }),
    { numRuns: 200 },
  );
});

test("[S5] what waits is bounded by frames and by bytes, the newest always there", () => {
  const { fallback, link } = open(10_000);
  for (let n = 2; n <= 2 * bufferedFrames; n++) link.send(frameOf(n));
  const few = createTestOutlet();
  fallback.poll(0, few);
  assert.equal(readPoll(few.text).heard.length, bufferedFrames);
  for (let n = 0; n < 20; n++) link.send(frameOf(n, "x".repeat(4_000)));
  const bytes = createTestOutlet();
  fallback.poll(0, bytes);
  assert.ok(bytes.text.length < 10_200, `${bytes.text.length}`);
  link.send(frameOf(1, "x".repeat(50_000)));
  const large = createTestOutlet();
  fallback.poll(0, large);
  assert.equal(readPoll(large.text).heard.length, 1);
});

test("[S7] with nobody asking the session ends after 30 s; a stream goes on with comments, but not if the client is never heard", () => {
  const { fallback, closed } = open();
  const nowMs = performance.now();
  assert.equal(fallback.check(nowMs + outliveMs - 100), true);
  const stream = createTestOutlet();
  fallback.stream(0, stream);
  assert.equal(fallback.check(nowMs + 20_000), true);
  assert.match(stream.text, /:\n\n$/);
  assert.equal(stream.ended, false);
  assert.equal(fallback.check(nowMs + 90_000), true);
  assert.equal(stream.ended, true, "so that a client that lives opens it anew");
  assert.equal(fallback.check(performance.now() + outliveMs + 1_000), false);
  assert.equal(closed.length, 1);
  assert.equal(fallback.isGone(), true);
});

test("[S7] who takes nothing for 20 s is let go of", () => {
  const { fallback, link } = open();
  const stream = createTestOutlet();
  stream.takes = false;
  fallback.stream(0, stream);
  link.send(frameOf(2));
  assert.equal(fallback.check(performance.now() + 19_000), true);
  assert.equal(stream.ended, false);
  fallback.check(performance.now() + 21_000);
  assert.equal(stream.ended, true);
});

test("[S6] a closed session keeps its last words until they were taken, and is closed once", async () => {
  const { fallback, link, closed } = open();
  link.send(frameOf(2));
  link.close("draining");
  link.close("draining");
  link.send(frameOf(3));
  assert.equal(closed.length, 1);
  const poll = createTestOutlet();
  fallback.poll(0, poll);
  const { frames } = JSON.parse(poll.text) as { frames: { frame: { event: string; data?: { code: number } } }[] };
  assert.deepEqual(
    frames.map(({ frame }) => frame.event),
    ["x", "x", "Closed"],
  );
  assert.equal(frames[2]?.frame.data?.code, 4001);
  assert.equal(fallback.isGone(), true);
  assert.equal(closed.length, 1);
});
