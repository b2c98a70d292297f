import type { TokenStorage } from "./guest-token.ts";

/** Ways to a gateway, the best first. */
export type Transport = "websocket" | "sse" | "poll";
export const allTransports: readonly Transport[] = ["websocket", "sse", "poll"];

/** How long a page starts with the way that worked for the last one. */
const rememberMs = 24 * 60 * 60_000;
const firstUpgradeMs = 10_000;
const maxUpgradeMs = 10 * 60_000;
/** A WebSocket that worked on this page fails so often before other ways are tried: a deploy is no proxy. */
const patience = 3;

/**
 * Which ways to try, in which order, given how it went: `storage` remembers a way other than WebSocket across pages, so that
 * people behind a proxy do not wait for WebSocket to fail each time.
 */
export function createTransports(allowed: readonly Transport[], storage: TokenStorage | undefined, key: string) {
  let remembered = recall();
  /** The first one worked on this page. */
  let proven = false;
  let failures = 0;
  let upgrades = 0;

  function recall(): Transport | null {
    try {
      const [name, atMs] = (storage?.getItem(key) ?? "").split(" ");
      const known = allowed.find((each) => each === name && each !== allowed[0]);
      return known && Date.now() - Number(atMs) < rememberMs ? known : null;
    } catch {
      return null;
    }
  }

  function remember(transport: Transport | null) {
    remembered = transport;
    try {
      if (transport) storage?.setItem(key, `${transport} ${Date.now()}`);
      else storage?.removeItem(key);
    } catch {
      // Storage is full or not allowed: the next page finds out by itself.
    }
  }

  return {
    best: allowed[0]!,
    /** The ways to try now, one after another. */
    plan(): readonly Transport[] {
      if (remembered) return allowed.slice(allowed.indexOf(remembered));
      return proven && failures < patience ? allowed.slice(0, 1) : allowed;
    },
    worked(transport: Transport) {
      failures = 0;
      if (transport === allowed[0]) {
        proven = true;
        upgrades = 0;
      }
      if (transport !== (remembered ?? allowed[0])) remember(transport === allowed[0] ? null : transport);
    },
    failed(transport: Transport) {
      failures++;
      if (transport === remembered) remember(null);
    },
    /** How long to stay with a lesser way before the best is tried again. */
    upgradeAfterMs: () => Math.min(maxUpgradeMs, firstUpgradeMs * 2 ** upgrades++),
  };
}
