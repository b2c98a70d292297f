import type { Reads, Writes } from "./operations.ts";

/** What goes between a store and its thread. One request is under way at a time; its answers come in the order asked. */
export interface Request {
  /** The sections of all appends among the writes (batch.ts). */
  batch: Uint8Array<ArrayBuffer>;
  writes: Call<keyof Writes>[];
  reads: Call<keyof Reads>[];
}

export interface Call<Name extends string> {
  name: Name;
  args: unknown[];
}

/** First the writes' results, as soon as they are on disk, then the reads' (each only when there are any). */
export interface Response {
  results: Result[];
  /** True in the last response to a request: the thread is free again. */
  done: boolean;
}

export type Result = { ok: true; value: unknown } | { ok: false; unavailable: boolean; error: unknown };

/** Sent once, when the file is open or can't be opened. */
export type Opened = { opened: true } | { opened: false; unavailable: boolean; error: unknown };
