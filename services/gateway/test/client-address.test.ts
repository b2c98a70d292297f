import assert from "node:assert/strict";
import { test } from "node:test";
import { createClientAddresses } from "../src/client-address.ts";

const v4 = (text: string) => Uint8Array.from(text.split(".").map(Number)).buffer;
const v6 = (...groups: number[]) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255])).buffer;
const proxied = createClientAddresses(["10.0.0.0/8", "192.0.2.7", "fd00::/8"]);

test("without a trusted proxy the peer is the client, whatever it says of itself", () => {
  const direct = createClientAddresses([]);
  assert.equal(direct.of(v4("203.0.113.9"), "198.51.100.1"), "203.0.113.9");
  assert.equal(proxied.of(v4("203.0.113.9"), "198.51.100.1"), "203.0.113.9");
});

test("behind trusted proxies it is the last whom one of them heard; what the client made up before it is not believed", () => {
  assert.equal(proxied.of(v4("10.1.2.3"), "198.51.100.1"), "198.51.100.1");
  assert.equal(proxied.of(v4("10.1.2.3"), "1.1.1.1, 198.51.100.1, 10.9.9.9"), "198.51.100.1");
  assert.equal(proxied.of(v4("192.0.2.7"), " 198.51.100.1 "), "198.51.100.1");
  assert.equal(proxied.of(v6(0xfd00, 0, 0, 0, 0, 0, 0, 1), "198.51.100.1"), "198.51.100.1");
  for (const nonsense of ["", "x", "unknown", "198.51.100.1:80", ",,", "10.0.0.0/8", "\u0000"])
    assert.equal(proxied.of(v4("10.1.2.3"), nonsense), "10.1.2.3", nonsense);
});

test("an IPv4 address is one, also when it comes as IPv6; of IPv6 one /64 is", () => {
  assert.equal(proxied.of(v6(0, 0, 0, 0, 0, 0xffff, 0xcb00, 0x7109), ""), "203.0.113.9");
  assert.equal(proxied.of(v4("10.1.2.3"), "::ffff:203.0.113.9"), "203.0.113.9");
  assert.equal(proxied.of(v6(0x2001, 0xdb8, 1, 2, 3, 4, 5, 6), ""), "2001:db8:1:2::/64");
  assert.equal(proxied.of(v4("10.1.2.3"), "2001:DB8:1:2::9"), "2001:db8:1:2::/64");
  assert.equal(proxied.of(v4("10.1.2.3"), "2001:db8::9"), "2001:db8:0:0::/64");
  assert.equal(proxied.of(v4("10.1.2.3"), "::1"), "0:0:0:0::/64");
});

test("a list with an entry that is no network says which", () => {
  for (const entry of ["10.0.0.0/33", "10.0.0", "*", "proxy.example", "10.0.0.0/", "fd00::/129", "10.0.0.0/-1"])
    assert.throws(() => createClientAddresses(["10.0.0.0/8", entry]), {
      message: new RegExp(`"${entry.replace(/[*./]/g, "\\$&")}"`),
    });
});
