/** A stack for a drill: limits as in production, processes that can be ended, gateways behind something like a balancer. */
import { setTimeout as sleep } from "node:timers/promises";
import { startTestStack, type TestStack } from "../../../support/start-stack.ts";
import type { Teardown } from "../../../support/teardown.ts";
import { waitFor } from "../../../support/wait-for.ts";

export interface DrillStack extends TestStack {
  /** `ws://…` of a gateway that is in rotation, each in turn. */
  pick(): string;
  /** The processes a deploy replaces: gateways first, then workers; engines stay. */
  replaceable(): { service: string; instance: number }[];
  /** Ends a process as a deploy does, out of rotation first, and waits until its successor is ready. */
  replace(service: string, instance: number): Promise<void>;
  /** Takes a gateway out of rotation and kills it. */
  killGateway(instance: number): void;
  /** The worst of a process's event loop delay in the last whole window of 5 s, in ms; a gateway's unless told. */
  loopDelayMs(instance: number, service?: string): Promise<{ p99: number; max: number }>;
  /** How many connections a gateway has, registered or not; the first one unless told. */
  connections(instance?: number): Promise<number>;
}

export interface DrillStackOptions {
  gateways: number;
  chatWorkers: number;
  /** Of each of the other services; they bring Redis along. */
  otherWorkers?: number;
  drainMs: number;
  /** Lifts the limits, for drills that are about something else. */
  loadTest?: boolean;
  env?: Record<string, string>;
}

const readyTimeoutMs = 60_000;

export async function startDrillStack(teardown: Teardown, options: DrillStackOptions): Promise<DrillStack> {
  const { gateways, chatWorkers, otherWorkers = 0, drainMs, loadTest, env } = options;
  const others = { presence: otherWorkers, timers: otherWorkers, notify: otherWorkers, sms: otherWorkers };
  const stack = await startTestStack(teardown, {
    ...{ ...others, gateways, chat: chatWorkers, drainMs },
    ...(loadTest ? { loadTest } : {}),
    ...(env ? { env } : {}),
  });
  const inRotation = new Set(Array.from({ length: gateways }, (_, i) => i + 1));
  let picked = 0;

  const isReady = async (service: string, instance: number): Promise<boolean> =>
    (await fetch(`${stack.internalUrl(service, instance)}/readyz`, { signal: AbortSignal.timeout(1_000) })).ok;

  /** A process's metrics whose lines begin so. */
  const read = async (service: string, instance: number, start: string) => {
    const text = await (await fetch(`http://127.0.0.1:${stack.row(service, instance).ports.metrics}/metrics`)).text();
    const lines = text.split("\n").filter((line) => line.startsWith(start));
    return lines.map((line) => ({ line, value: Number(line.split(" ").at(-1)) }));
  };

  return {
    ...stack,
    pick() {
      const gateway = [...inRotation][picked++ % inRotation.size];
      if (gateway === undefined) throw new Error("no gateway is in rotation");
      return stack.wsUrl(gateway);
    },
    replaceable: () =>
      stack
        .rows()
        .flatMap(({ service, instance, ports }) => (ports.internal === undefined ? [] : [{ service, instance }]))
        .sort((a, b) => Number(b.service === "gateway") - Number(a.service === "gateway")),
    async replace(service, instance) {
      const before = stack.restarts(service, instance);
      if (service === "gateway") inRotation.delete(instance);
      stack.terminate(service, instance);
      const isBack = async () => stack.restarts(service, instance) > before && (await isReady(service, instance));
      await waitFor(`${service} ${instance} to be back`, isBack, { timeoutMs: drainMs + readyTimeoutMs, everyMs: 50 });
      if (service === "gateway") inRotation.add(instance);
      // As Kubernetes waits between pods: the newcomer is found by the others.
      await sleep(500);
    },
    killGateway(instance) {
      inRotation.delete(instance);
      stack.kill9("gateway", instance);
    },
    async loopDelayMs(instance, service = "gateway") {
      const all = await read(service, instance, "parley_loop_delay");
      const quantile = (name: string): number =>
        1_000 * (all.find(({ line }) => line.includes(`"${name}"`))?.value ?? Number.NaN);
      return { p99: quantile("0.99"), max: quantile("1") };
    },
    async connections(instance = 1) {
      return (await read("gateway", instance, "parley_gateway_connections{")).reduce(
        (sum, { value }) => sum + value,
        0,
      );
    },
  };
}
