/** WebSocket frames (RFC 6455) as a load generator needs them: no copies, no objects a frame, no extensions. */

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** Clients must mask. One key for all frames makes a masked frame reusable: the server does the same work. */
const maskKey = [0x37, 0xfa, 0x21, 0x3d] as const;

/** A frame's bytes, and where its payload begins in them. */
export interface MaskedFrame {
  bytes: Buffer;
  payloadStart: number;
}

/** Makes one masked client frame of up to 65,535 bytes. */
export function maskedFrame(opcode: number, payload: Uint8Array): MaskedFrame {
  const length = payload.length;
  if (length > 0xffff) throw new RangeError(`a frame of ${length} bytes: the load generator sends 65535 at most`);
  const payloadStart = length < 126 ? 6 : 8;
  const bytes = Buffer.allocUnsafe(payloadStart + length);
  bytes[0] = 0x80 | opcode;
  if (length < 126) bytes[1] = 0x80 | length;
  else {
    bytes[1] = 0x80 | 126;
    bytes.writeUInt16BE(length, 2);
  }
  for (let i = 0; i < 4; i++) bytes[payloadStart - 4 + i] = maskKey[i]!;
  for (let i = 0; i < length; i++) bytes[payloadStart + i] = payload[i]! ^ maskKey[i & 3]!;
  return { bytes, payloadStart };
}

export const maskedText = (text: string): Buffer => maskedFrame(opcodes.text, Buffer.from(text)).bytes;

/** Overwrites `width` digits of a masked payload, `offset` bytes into it, with `value` in decimal. */
export function writeMaskedDigits(
  frame: Buffer,
  payloadStart: number,
  offset: number,
  width: number,
  value: number,
): void {
  for (let i = offset + width - 1; i >= offset; i--) {
    const rest = Math.floor(value / 10);
    frame[payloadStart + i] = (0x30 + value - rest * 10) ^ maskKey[i & 3]!;
    value = rest;
  }
}

/** Called for each frame; `bytes` is only valid during the call, the payload is `bytes[start..end)`. */
export type OnFrame = (opcode: number, bytes: Buffer, start: number, end: number) => void;

/**
 * Reads a server's frames from chunks cut anywhere. Frames that lie whole in a chunk are handed out where they
 * are; only what a chunk's end cuts is copied. Throws on what a server must not send or never sends us: masked
 * frames, fragments, reserved bits.
 */
export function createFrameParser(onFrame: OnFrame): (chunk: Buffer, start: number, end: number) => void {
  let rest: Buffer | null = null;
  let restLength = 0;

  /** Hands out the whole frames in `bytes[at..end)` and says where the first unfinished one begins. */
  function readFrames(bytes: Buffer, at: number, end: number): number {
    while (end - at >= 2) {
      const first = bytes[at]!;
      const second = bytes[at + 1]!;
      if ((first & 0xf0) !== 0x80 || second > 127)
        throw new Error(`the server sent a frame that this client can't read (first bytes ${first} ${second})`);
      let start = at + 2;
      let length = second;
      if (second === 126) {
        if (end - at < 4) return at;
        length = (bytes[at + 2]! << 8) | bytes[at + 3]!;
        start = at + 4;
      } else if (second === 127) {
        if (end - at < 10) return at;
        length = Number(bytes.readBigUInt64BE(at + 2));
        start = at + 10;
      }
      if (end - start < length) return at;
      at = start + length;
      onFrame(first & 0x0f, bytes, start, at);
    }
    return at;
  }

  return (chunk, start, end) => {
    if (restLength === 0) {
      const at = readFrames(chunk, start, end);
      if (at < end) keep(chunk, at, end);
      return;
    }
    keep(chunk, start, end);
    const held = rest!;
    const heldEnd = restLength;
    const at = readFrames(held, 0, heldEnd);
    if (at === heldEnd) restLength = 0;
    else if (at > 0) {
      held.copyWithin(0, at, heldEnd);
      restLength = heldEnd - at;
    }
    // An idle connection should not hold on to what one burst needed.
    if (restLength === 0) rest = null;
  };

  function keep(chunk: Buffer, start: number, end: number): void {
    const needed = restLength + end - start;
    if (rest === null || rest.length < needed) {
      const grown = Buffer.allocUnsafe(Math.max(needed, 2 * restLength));
      rest?.copy(grown, 0, 0, restLength);
      rest = grown;
    }
    chunk.copy(rest, restLength, start, end);
    restLength = needed;
  }
}
