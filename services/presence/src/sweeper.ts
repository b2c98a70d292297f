/** What happens by the clock: graces that end, gateways that are not heard of any more, changes a dead worker left untold. */
import { presenceShards } from "@parley/bus";
import type { Directory } from "./directory.ts";
import type { Teller } from "./tell.ts";

export interface SweeperOptions {
  directory: Directory;
  teller: Teller;
  owns: (shard: number) => boolean;
  /** Whether Redis and NATS can be reached now. */
  isConnected: () => boolean;
  /** How long gateways have to renew their leases after Redis or NATS was away. */
  settleMs: number;
  now: () => number;
  onError: (error: unknown, what: string) => void;
  onDead: (node: string) => void;
}

export interface Sweeper {
  /** One round; answers once it is done. */
  sweep(): Promise<void>;
  /** Leases may have run out only because nobody could renew them: no gateway is given up for a while. */
  unsettle(): void;
  close(): void;
}

const everyMs = 500;

export function createSweeper(options: SweeperOptions): Sweeper {
  const { directory, teller, owns, now } = options;
  let settledAtMs = now() + options.settleMs;
  let memory: string | null = null;
  let sweeping = false;

  const unsettle = () => {
    settledAtMs = now() + options.settleMs;
  };

  const mine = () => Array.from({ length: presenceShards }, (_, shard) => shard).filter(owns);

  const endGraces = (shards: number[]) =>
    Promise.all(
      shards.map(async (shard) => {
        if ((await directory.endGraces(shard)) > 0) teller.schedule(shard);
      }),
    );

  const giveUpDeadNodes = async (shards: number[]) => {
    const nodes = await Promise.all(shards.map(directory.nodesIn));
    const all = [...new Set(nodes.flat())];
    const alive = await Promise.all(all.map(directory.hasLease));
    for (const node of all.filter((_, i) => !alive[i])) {
      options.onDead(node);
      for (const [i, shard] of shards.entries())
        if (nodes[i]?.includes(node) && (await endNode(directory, node, shard))) teller.schedule(shard);
    }
  };

  const sweep = async () => {
    if (sweeping) return;
    if (!options.isConnected()) return unsettle();
    sweeping = true;
    try {
      const present = await directory.memory();
      // Redis has lost what it held, leases too: the gateways find out and report anew.
      if (memory !== null && memory !== present) unsettle();
      memory = present;
      const shards = mine();
      await endGraces(shards);
      if (now() >= settledAtMs) await giveUpDeadNodes(shards);
    } catch (error) {
      unsettle();
      options.onError(error, "presence could not be swept");
    } finally {
      sweeping = false;
    }
  };

  const timer = setInterval(sweep, everyMs);
  return { sweep, unsettle, close: () => clearInterval(timer) };
}

/** A dead node's sessions end without grace: it has been silent for longer. Answers whether there is something to tell. */
export async function endNode(directory: Directory, node: string, shard: number): Promise<boolean> {
  return directory.endKnown(await directory.sessionsOfNode(node, shard), true);
}
