import { setTimeout as sleep } from "node:timers/promises";
import type { Reply } from "@parley/protocol";
import { WebSocket } from "ws";
import { fuzzBusOnce } from "./fuzz-bus.ts";
import { fuzzFrame } from "./fuzz-frames.ts";
import { createRandom } from "./random.ts";

export interface FuzzOptions {
  /** `ws://…/ws` of gateways that lift their limits: LOAD_TEST, and `fuzzSettings`. */
  urls: string[];
  frames: number;
  seed: number;
  connections?: number;
  /** Told at each twentieth of all frames; nothing waits for it. */
  progress?: (answered: number) => Promise<void>;
}

/** So that what is refused does not end the connection. */
export const fuzzSettings = { BAD_FRAMES_PER_MINUTE: "1000000" };

export interface FuzzReport {
  frames: number;
  ok: number;
  refused: number;
}

/** How many frames wait for answers on one connection. */
const window = 100;

/**
 * Sends frames over many connections and holds each to exactly one answer. Frames go in groups, with a Heartbeat after each: its
 * answer is asked for again until all others are there, or ten seconds are over. Rejects with the seed and the group at fault.
 */
export async function fuzzFrames({ urls, frames, seed, connections = 8, progress }: FuzzOptions): Promise<FuzzReport> {
  const report: FuzzReport = { frames: 0, ok: 0, refused: 0 };
  let nextGroup = 0;
  let nextTold = frames / 20;
  let telling: Promise<unknown> = Promise.resolve();
  const groups = Math.ceil(frames / window);

  const worker = async (which: number) => {
    const socket = await openFuzzSocket(urls[which % urls.length] as string);
    for (let group = nextGroup++; group < groups; group = nextGroup++) {
      // A group is repeated by its number alone, whichever connection carries it.
      const random = createRandom(seed ^ Math.imul(group, 0x9e3779b1));
      const texts = Array.from({ length: window }, (_, i) => fuzzFrame(random, group * window + i));
      const replies = await socket.exchange(texts);
      if (replies.length !== texts.length)
        throw new Error(
          `seed ${seed}, group ${group}: ${texts.length} frames, ${replies.length} answers: ${JSON.stringify(texts)}`,
        );
      for (const { success } of replies) report[success ? "ok" : "refused"]++;
      report.frames += texts.length;
      if (!progress || report.frames < nextTold) continue;
      nextTold += frames / 20;
      telling = Promise.all([telling, progress(report.frames)]);
    }
    socket.close();
  };
  await Promise.all(Array.from({ length: connections }, (_, which) => worker(which)));
  await telling;
  return report;
}

async function openFuzzSocket(url: string) {
  const socket = new WebSocket(url);
  let replies: Reply[] = [];
  let lastMark = 0;
  let done: ((replies: Reply[]) => void) | null = null;
  let fail: ((error: Error) => void) | null = null;
  socket.on("message", (data) => {
    const frame = JSON.parse(String(data)) as Reply;
    if (frame.eventType !== "Reply") return;
    if (frame.requestId === `mark ${lastMark}`) done?.(replies);
    else replies.push(frame);
  });
  socket.on("close", (code) => fail?.(new Error(`the connection ended with ${code}`)));
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  socket.on("error", () => {});

  const exchange = (texts: readonly string[]) =>
    new Promise<Reply[]>((resolve, reject) => {
      replies = [];
      fail = (error) => reject(new Error(`${error.message}, after ${JSON.stringify(texts)}`));
      let tries = 0;
      // Answers come as they are ready, so the mark's may overtake some: it is asked again until all are here.
      const mark = () => socket.send(JSON.stringify({ event: "Heartbeat", requestId: `mark ${++lastMark}` }));
      done = async (got) => {
        if (got.length >= texts.length || ++tries > 400) return resolve(got);
        await sleep(25);
        mark();
      };
      for (const text of texts) socket.send(text);
      mark();
    });

  const [registered] = await exchange(['{"event":"Register","requestData":{"guest":true}}']);
  if (!registered?.success) throw new Error(`a fuzzer's connection could not register: ${registered?.error}`);
  return {
    exchange,
    close: () => {
      fail = null;
      socket.close();
    },
  };
}

export function fuzzBus(messages: number, seed: number): void {
  const random = createRandom(seed);
  for (let i = 0; i < messages; i++) fuzzBusOnce(random);
}
