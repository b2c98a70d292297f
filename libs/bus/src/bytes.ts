/**
 * Binary by hand, because a message crosses this twice on the hot path: a third of JSON's cost.
 * Classes, so that V8 sees one shape and inlines the methods.
 */

const takingsPerBuffer = 8;

/** Appends to a buffer that grows. `take` hands the bytes out and begins anew, so what was taken is never written again. */
export class ByteWriter {
  #buffer: Buffer;
  #at = 0;
  #startBytes: number;

  /** `startBytes`: about as much as one taking needs; buffers are made for several. */
  constructor(startBytes = 4096) {
    this.#startBytes = startBytes;
    this.#buffer = Buffer.allocUnsafeSlow(startBytes * takingsPerBuffer);
  }

  get length(): number {
    return this.#at;
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#at + bytes));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }

  u8(value: number): void {
    this.#room(1);
    this.#buffer[this.#at++] = value;
  }

  u32(value: number): void {
    this.#room(4);
    this.#at = this.#buffer.writeUInt32LE(value, this.#at);
  }

  f64(value: number): void {
    this.#room(8);
    this.#at = this.#buffer.writeDoubleLE(value, this.#at);
  }

  /** A string with its length before it. */
  string(value: string): void {
    this.#room(4 + value.length * 3);
    const start = this.#at + 4;
    const bytes = this.#put(value, start);
    this.#buffer.writeUInt32LE(bytes, this.#at);
    this.#at = start + bytes;
  }

  /** A string or null. */
  nullable(value: string | null): void {
    this.u8(value === null ? 0 : 1);
    if (value !== null) this.string(value);
  }

  /** A string with nothing before it; answers how many bytes it took. */
  text(value: string): number {
    this.#room(value.length * 3);
    const bytes = this.#put(value, this.#at);
    this.#at += bytes;
    return bytes;
  }

  bytes(value: Uint8Array): void {
    this.u32(value.length);
    this.#room(value.length);
    this.#buffer.set(value, this.#at);
    this.#at += value.length;
  }

  /** Overwrites four bytes written before. */
  patchU32(at: number, value: number): void {
    this.#buffer.writeUInt32LE(value, at);
  }

  #put(value: string, at: number): number {
    const length = value.length;
    if (length > 40) return this.#buffer.write(value, at, "utf8");
    // Short and plain is the common case; a call into C++ costs more than this loop.
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i);
      if (unit > 0x7f) return this.#buffer.write(value, at, "utf8");
      this.#buffer[at + i] = unit;
    }
    return length;
  }

  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.#at);
    // What is left of a large buffer serves the next taker; nobody writes below it again.
    this.#buffer =
      this.#buffer.length - this.#at >= this.#startBytes
        ? this.#buffer.subarray(this.#at)
        : Buffer.allocUnsafeSlow(this.#startBytes * takingsPerBuffer);
    this.#at = 0;
    return taken;
  }
}

/** Reads what ByteWriter wrote. Reading past the end throws a RangeError. */
export class ByteReader {
  #buffer: Buffer;
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
  }

  get left(): number {
    return this.#buffer.length - this.at;
  }

  u8(): number {
    return this.#buffer.readUInt8(this.at++);
  }

  u32(): number {
    const value = this.#buffer.readUInt32LE(this.at);
    this.at += 4;
    return value;
  }

  f64(): number {
    const value = this.#buffer.readDoubleLE(this.at);
    this.at += 8;
    return value;
  }

  #skip(bytes: number): number {
    const start = this.at;
    if (bytes > this.#buffer.length - start) throw new RangeError("The bytes end before they should");
    this.at = start + bytes;
    return start;
  }

  string(): string {
    const bytes = this.u32();
    const start = this.#skip(bytes);
    return this.#buffer.toString("utf8", start, start + bytes);
  }

  nullable(): string | null {
    return this.u8() === 0 ? null : this.string();
  }

  /** A view, valid as long as what it was read from. */
  bytes(): Buffer {
    const length = this.u32();
    const start = this.#skip(length);
    return this.#buffer.subarray(start, start + length);
  }

  /** A view of the next `length` bytes. */
  view(length: number): Buffer {
    const start = this.#skip(length);
    return this.#buffer.subarray(start, start + length);
  }
}
