/**
 * The one message that all scenarios send, prepared once a connection: only its digits change from send to send.
 * Its text carries a stamp, `~`, the digits of time, publisher and count, `~`, which comes back in the delivery.
 */
import { maskedFrame, opcodes, writeMaskedDigits } from "./frames.ts";

const widths = { requestId: 10, count: 8, atMicros: 12, publisher: 4 } as const;
const stampDigits = widths.atMicros + widths.publisher + widths.count;
const tilde = 0x7e;

/** `~` digits `~`: the shortest text that a message can have, in bytes. */
export const stampBytes = stampDigits + 2;

/** Request ids of sends begin here, so that each has the same number of digits. */
export const firstRequestId = 1_000_000_000;

export interface SendFrame {
  /** A copy of the frame for one send. `atMicros`: when it was due, on this process's clock (`nowMicros`). */
  make(requestId: number, count: number, atMicros: number): Buffer;
}

/** This process's monotonic clock in µs; under 10¹², so that it fits its 12 digits for 11 days. */
export const nowMicros = (): number => performance.now() * 1000;

/** `textBytes` below `stampBytes` is refused. `publisher` is 0–9999: who sent it, among those of its room. */
export function createSendFrame(room: string, publisher: number, textBytes: number): SendFrame {
  if (textBytes < stampBytes) throw new RangeError(`a text of ${textBytes} bytes: ${stampBytes} is the least`);
  const zeros = (width: number): string => "0".repeat(width);
  const text = `~${zeros(stampDigits)}~${"x".repeat(textBytes - stampBytes)}`;
  const head = `{"eventType":"ClientEvent","event":"SendMessage","requestId":`;
  const beforeId = `${head}${firstRequestId},"requestData":{"room":${JSON.stringify(room)},"clientMessageId":"`;
  const beforeText = `${beforeId}${zeros(widths.count)}","text":"`;
  const payload = Buffer.from(`${beforeText}${text}"}}`);
  const { bytes, payloadStart } = maskedFrame(opcodes.text, payload);
  const requestIdAt = Buffer.byteLength(head);
  const messageIdAt = Buffer.byteLength(beforeId);
  const timeAt = Buffer.byteLength(beforeText) + 1;
  const publisherAt = timeAt + widths.atMicros;
  const countAt = publisherAt + widths.publisher;
  writeMaskedDigits(bytes, payloadStart, publisherAt, widths.publisher, publisher);
  return {
    make(requestId, count, atMicros) {
      const frame = Buffer.from(bytes);
      writeMaskedDigits(frame, payloadStart, requestIdAt, widths.requestId, requestId);
      writeMaskedDigits(frame, payloadStart, messageIdAt, widths.count, count);
      // In two halves: each is a small integer, which V8 divides several times faster.
      const micros = Math.floor(atMicros);
      const high = Math.floor(micros / 1e6);
      writeMaskedDigits(frame, payloadStart, timeAt, 6, high);
      writeMaskedDigits(frame, payloadStart, timeAt + 6, 6, micros - high * 1e6);
      writeMaskedDigits(frame, payloadStart, countAt, widths.count, count);
      return frame;
    },
  };
}

export interface Stamp {
  atMicros: number;
  publisher: number;
  count: number;
}

/** Reads `width` digits at `at`; whatever stands there is taken for digits. */
function readDigits(bytes: Buffer, at: number, width: number): number {
  let value = 0;
  for (let i = at; i < at + width; i++) value = value * 10 + bytes[i]! - 0x30;
  return value;
}

/** Reads the decimal number that begins at `at` and ends before the first byte that is no digit. */
export function readNumber(bytes: Buffer, at: number): number {
  let value = 0;
  for (let digit = bytes[at]! - 0x30; digit >= 0 && digit <= 9; digit = bytes[++at]! - 0x30) value = value * 10 + digit;
  return value;
}

/**
 * Reads the stamp in `bytes[start..end)` into `into`. The stamp's place hardly changes from one frame of a
 * connection to the next, so it is first looked for `hint` bytes in.
 * @returns where it was (the next hint), or -1 when there is none
 */
export function readStamp(bytes: Buffer, start: number, end: number, hint: number, into: Stamp): number {
  let at = start + hint;
  if (at + stampBytes > end || bytes[at] !== tilde || bytes[at + stampBytes - 1] !== tilde) {
    // Not `indexOf`: it would run on through the read buffer, past this frame's end.
    for (at = start; at + stampBytes <= end; at++)
      if (bytes[at] === tilde && bytes[at + stampBytes - 1] === tilde) break;
    if (at + stampBytes > end) return -1;
  }
  into.atMicros = readDigits(bytes, at + 1, 6) * 1e6 + readDigits(bytes, at + 7, 6);
  into.publisher = readDigits(bytes, at + 1 + widths.atMicros, widths.publisher);
  into.count = readDigits(bytes, at + 1 + widths.atMicros + widths.publisher, widths.count);
  return at - start;
}

/**
 * Finds `key` (for example `"seq":`) in `bytes[start..end)`, first `hint` bytes in.
 * @returns where its value begins, counted from `start` (the key's length more than the next hint), or -1
 */
export function findKey(bytes: Buffer, start: number, end: number, hint: number, key: Buffer): number {
  const at = start + hint;
  const length = key.length;
  if (at + length <= end) {
    let i = 0;
    while (i < length && bytes[at + i] === key[i]) i++;
    if (i === length) return hint + length;
  }
  const found = bytes.subarray(start, end).indexOf(key);
  return found === -1 ? -1 : found + length;
}
