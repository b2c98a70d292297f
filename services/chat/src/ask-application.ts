/**
 * Asks the application around Parley whether somebody may join, or send to, a room: one signed POST, whose answer is kept for a
 * while. Who gets no answer in time is not let through.
 */
import { Refusal } from "@parley/protocol";
import { signedPost } from "@parley/service-kit";
import { forbidden } from "./room-states.ts";
import { shared } from "./shared.ts";

export interface AskApplicationOptions {
  /** Gets `{action, user, room}`; answers 200 with `{allow: true}` or `{allow: false}`. */
  url: string;
  secret: string;
  timeoutMs: number;
  keepMs: number;
  onError: (error: unknown) => void;
  now?: () => number;
}

interface Question {
  action: "join" | "send";
  user: string;
  room: string;
}

/** Null where it may, at once; else a promise that refuses or does not. */
export type AskApplication = (action: Question["action"], user: string, room: string) => Promise<void> | null;

interface Kept {
  allowed: boolean;
  untilMs: number;
}

const maxKept = 100_000;
const unanswered = () =>
  new Refusal("unavailable", "The application did not say in time whether you may; send it again");

export function createAskApplication(options: AskApplicationOptions): AskApplication {
  const { url, secret, timeoutMs, keepMs, onError } = options;
  const now = options.now ?? Date.now;
  const kept = new Map<string, Kept>();
  const underWay = new Map<string, Promise<boolean>>();

  const post = async (body: Question): Promise<boolean> => {
    const { status, text } = await signedPost({ url, secret, body, signal: AbortSignal.timeout(timeoutMs) });
    if (status !== 200) throw new Error(`the application answered with status ${status}`);
    const { allow } = JSON.parse(text) as { allow?: unknown };
    if (typeof allow !== "boolean") throw new Error("the application's answer has no allow: true or false");
    return allow;
  };

  const ask = async (key: string, body: Question): Promise<boolean> => {
    try {
      const allow = await post(body);
      if (kept.size >= maxKept) kept.clear();
      kept.set(key, { allowed: allow, untilMs: now() + keepMs });
      return allow;
    } catch (error) {
      onError(error);
      throw unanswered();
    }
  };

  const settle = async (answer: Promise<boolean>) => {
    if (!(await answer)) throw forbidden();
  };

  return (action, user, room) => {
    const question = { action, user, room };
    const key = JSON.stringify(question);
    const known = kept.get(key);
    if (known && known.untilMs > now()) return known.allowed ? null : Promise.reject(forbidden());
    return settle(shared(underWay, key, () => ask(key, question)));
  };
}
