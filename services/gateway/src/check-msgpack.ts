/**
 * Walks one MessagePack value without building anything. Throws where it is nested deeper than `nesting`, or claims more
 * than it holds: a decoder makes room for an array before it has seen its items, so five bytes could ask for gigabytes.
 */
export function checkMsgpack(bytes: Uint8Array, nesting: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (count: number): number => {
    const from = at;
    at += count;
    if (at > bytes.length) throw new RangeError("MessagePack ends too early");
    return from;
  };
  const u8 = () => view.getUint8(take(1));
  const u16 = () => view.getUint16(take(2));
  const u32 = () => view.getUint32(take(4));

  const walkItems = (count: number, level: number): void => {
    if (level > nesting) throw new RangeError(`nested deeper than ${nesting}`);
    // Every item has a byte at least: a claim too high ends with the bytes.
    for (let i = 0; i < count; i++) walk(level + 1);
  };

  /** `level`: what a container here would have. */
  const walk = (level: number): void => {
    const head = u8();
    const size = fixedSizes[head];
    if (head < 0x80 || head >= 0xe0) return;
    if (head < 0x90) walkItems(2 * (head & 0x0f), level);
    else if (head < 0xa0) walkItems(head & 0x0f, level);
    else if (head < 0xc0) take(head & 0x1f);
    else if (size !== undefined) take(size);
    else walkSized(head, level);
  };

  // biome-ignore format: a table
  const walkSized = (head: number, level: number): void => {
    switch (head) {
      case 0xc4: case 0xd9: take(u8()); break;
      case 0xc5: case 0xda: take(u16()); break;
      case 0xc6: case 0xdb: take(u32()); break;
      case 0xc7: take(u8() + 1); break;
      case 0xc8: take(u16() + 1); break;
      case 0xc9: take(u32() + 1); break;
      case 0xdc: walkItems(u16(), level); break;
      case 0xdd: walkItems(u32(), level); break;
      case 0xde: walkItems(2 * u16(), level); break;
      case 0xdf: walkItems(2 * u32(), level); break;
      default: throw new RangeError("not MessagePack");
    }
  };
  walk(1);
}

/** Bytes that follow a head byte whose value has always the same size. */
// biome-ignore format: a table
const fixedSizes: { readonly [head: number]: number } = {
  192: 0, 194: 0, 195: 0, 202: 4, 203: 8, 204: 1, 205: 2, 206: 4, 207: 8,
  208: 1, 209: 2, 210: 4, 211: 8, 212: 2, 213: 3, 214: 5, 215: 9, 216: 17,
};
