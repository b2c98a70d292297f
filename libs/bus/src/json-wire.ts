/** Requests and answers as JSON, for workers that are asked too seldom for a form of their own to pay. */
import type { ErrorCode } from "@parley/protocol";
import type { ByteReader, ByteWriter } from "./bytes.ts";

export type JsonAnswer =
  /** JSON text; for a client event, the reply's data. */
  { kind: "json"; json: string } | { kind: "refused"; code: ErrorCode; error: string };

export const answerJson = (value: unknown): JsonAnswer => ({ kind: "json", json: JSON.stringify(value) });

export interface Repeatable {
  /** Set by the requester: this was sent before, and the earlier copy may still come, here or elsewhere, at any time. */
  repeated?: boolean;
}

export const encodeJsonRequest = (writer: ByteWriter, request: object, repeated: boolean): void =>
  writer.string(JSON.stringify(repeated ? ({ ...request, repeated } satisfies Repeatable) : request));

/** What comes over the bus is ours: its shape is trusted. */
export const decodeJsonRequest = <Request>(reader: ByteReader): Request => JSON.parse(reader.string()) as Request;

export function encodeJsonAnswer(writer: ByteWriter, answer: JsonAnswer): void {
  if (answer.kind === "json") {
    writer.u8(1);
    writer.string(answer.json);
    return;
  }
  writer.u8(2);
  writer.string(answer.code);
  writer.string(answer.error);
}

export function decodeJsonAnswer(reader: ByteReader): JsonAnswer {
  if (reader.u8() === 1) return { kind: "json", json: reader.string() };
  return { kind: "refused", code: reader.string() as ErrorCode, error: reader.string() };
}
