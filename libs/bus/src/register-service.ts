import { Svcm } from "@nats-io/services";
import type { Bus } from "./connect-bus.ts";
import { subjects } from "./subjects.ts";

/**
 * Registers with the NATS services framework, so that the standard `nats micro` tools list, ping and measure this worker.
 * `stats` is what they show for it.
 */
export async function registerService(
  bus: Bus,
  options: { name: string; version: string; description: string; worker: string; stats: () => Record<string, unknown> },
): Promise<{ stop(): Promise<void> }> {
  const service = await new Svcm(bus.nc).add({
    name: options.name,
    version: options.version,
    description: options.description,
    metadata: { worker: options.worker },
    statsHandler: () => Promise.resolve(options.stats()),
  });
  // Its statistics hang on an endpoint; this one answers who is asked.
  service.addEndpoint("stats", {
    subject: subjects.micro(options.name, options.worker),
    handler: (error, msg) => {
      if (!error) msg.respond(JSON.stringify(options.stats()));
    },
  });
  return {
    stop: async () => {
      await service.stop();
    },
  };
}
