import type { Teardown } from "../../../support/teardown.ts";
import type { DrillName, Options } from "../options.ts";
import type { ScenarioReport } from "../report.ts";
import { runAlikeDrill } from "./alike-drill.ts";
import { runAttackDrill } from "./attack-drill.ts";
import { runKillDrill } from "./kill-drill.ts";
import { runPresenceDrill } from "./presence-drill.ts";
import { runRestartDrill } from "./restart-drill.ts";
import { runSlowDrill } from "./slow-drill.ts";
import { runSmsDrill } from "./sms-drill.ts";
import { runWaysDrill } from "./ways-drill.ts";

/** Runs a drill with the command line's numbers, and against what docs/protocol.md and the issues promise. */
export function runDrill(
  teardown: Teardown,
  options: Options & { scenario: DrillName },
  progress: (line: string) => void,
): Promise<ScenarioReport> {
  const { conns, rooms, gateways, chatWorkers, members, ratePerSecond, textBytes, measureMs, inflight } = options;
  switch (options.scenario) {
    case "restart": {
      const clients = conns ?? 500;
      const talk = { clients, rooms: rooms ?? Math.ceil(clients / 10), everyMs: 2_000 };
      return runRestartDrill(
        teardown,
        { ...talk, gateways, chatWorkers, otherWorkers: 1, drainMs: 10_000, maxGapMs: 3_000 },
        progress,
      );
    }
    case "kill": {
      const clients = conns ?? 2_000;
      const talk = { clients, rooms: rooms ?? Math.ceil(clients / 10), everyMs: 20_000 };
      return runKillDrill(
        teardown,
        { ...talk, chatWorkers, maxBackMs: 30_000, maxLoopDelayMs: 200, watchMs: 12_000 },
        progress,
      );
    }
    case "presence": {
      const clients = conns ?? 2_000;
      const limits = { awayMs: 7_000, watchMs: 12_000, maxLoopDelayMs: 200, maxFrames: 150 };
      return runPresenceDrill(
        teardown,
        { clients, rooms: rooms ?? Math.ceil(clients / 100), gateways, chatWorkers, inflight, ...limits },
        progress,
      );
    }
    case "ways":
      return runWaysDrill(teardown, { rooms: rooms ?? 20, members, ratePerSecond, textBytes, measureMs }, progress);
    case "sms":
      return runSmsDrill(teardown, { sms: 10_000, ratePerSecond, measureMs, maxRatio: 1.2 }, progress);
    case "attack": {
      const attackers = { silent: conns ?? 10_000, dribbling: 500, floodPerSecond: 500 };
      const limits = { rounds: 4, maxRatio: 1.5 };
      return runAttackDrill(teardown, { members: 50, ...attackers, ratePerSecond, measureMs, ...limits }, progress);
    }
    case "alike":
      return runAlikeDrill(teardown, { pairs: conns ?? 2_000, askers: 20 }, progress);
    case "slow":
      return runSlowDrill(
        teardown,
        { members, slow: Math.ceil(members / 20), ratePerSecond, textBytes, measureMs, maxRatio: 1.2 },
        progress,
      );
  }
}
