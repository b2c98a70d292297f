/** Whose connection it is: the peer's address or, behind proxies that the operator trusts, what they say of the client. */
import { BlockList, isIP, isIPv4 } from "node:net";

export interface ClientAddresses {
  /**
   * What counts as one address: IPv4 as it is, of IPv6 the first 64 bits, since one customer has all the rest.
   * `peer`: 4 or 16 bytes; `forwardedFor`: the header X-Forwarded-For, empty where there is none.
   */
  of(peer: ArrayBuffer, forwardedFor: string): string;
}

/** `trusted`: addresses and networks (`10.0.0.0/8`, `fd00::/8`). Throws with the entry that is none. */
export function createClientAddresses(trusted: readonly string[]): ClientAddresses {
  const proxies = new BlockList();
  for (const entry of trusted) {
    const [address = "", bits] = entry.split("/");
    const family = isIP(address);
    const most = family === 4 ? 32 : 128;
    const prefix = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
    if (family === 0 || !(prefix <= most))
      throw Object.assign(
        new Error(`TRUSTED_PROXIES: "${entry}" is neither an address nor a network like 10.0.0.0/8`),
        {
          clear: true,
        },
      );
    proxies.addSubnet(address, prefix, family === 4 ? "ipv4" : "ipv6");
  }
  const isProxy = (address: string) => proxies.check(address, isIPv4(address) ? "ipv4" : "ipv6");

  return {
    of(peer, forwardedFor) {
      const bytes = new Uint8Array(peer);
      const own = textOf(bytes);
      if (forwardedFor === "" || trusted.length === 0) return bytes.length === 4 ? own : keyOf(own);
      let address = own;
      // Each proxy adds on the right whom it heard; only what a trusted one added is true.
      const hops = forwardedFor.split(",").slice(-maxHops);
      while (hops.length > 0 && isProxy(address)) {
        const hop = (hops.pop() as string).trim();
        if (isIP(hop) === 0) break;
        address = hop;
      }
      return keyOf(address);
    },
  };
}

const maxHops = 16;

function textOf(bytes: Uint8Array): string {
  const isMapped =
    bytes.length === 16 && bytes[10] === 0xff && bytes[11] === 0xff && !bytes.subarray(0, 10).some(Boolean);
  if (bytes.length === 4 || isMapped) return bytes.subarray(-4).join(".");
  return groupsOf(bytes).join(":");
}

function groupsOf(bytes: Uint8Array): string[] {
  const groups: string[] = [];
  for (let i = 0; i < bytes.length; i += 2) groups.push((((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)).toString(16));
  return groups;
}

function keyOf(address: string): string {
  if (isIPv4(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped) return mapped[1] as string;
  const [left = "", right] = address.toLowerCase().split("::");
  const before = left === "" ? [] : left.split(":");
  const after = right === undefined || right === "" ? [] : right.split(":");
  const zeros = right === undefined ? [] : Array<string>(Math.max(0, 8 - before.length - after.length)).fill("0");
  return `${[...before, ...zeros, ...after].slice(0, 4).join(":")}::/64`;
}
