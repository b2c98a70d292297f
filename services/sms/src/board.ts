import { createBullBoard } from "@bull-board/api";
import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import { FastifyAdapter } from "@bull-board/fastify";
import { connectRedis, queueNames, queuePrefix } from "@parley/jobs";
import type { InternalApi, Logger } from "@parley/service-kit";
import { Queue } from "bullmq";

/** The page of the queues, at `/queues`. Jobs hold ids only, so it shows no number and no text. */
export async function addBoard(api: InternalApi, options: { redisUrl: string; logger: Logger }): Promise<void> {
  const onError = (error: Error) => options.logger.debug({ err: error }, "the queues' page");
  const connection = connectRedis(options.redisUrl, { maxRetriesPerRequest: null, connectionName: "board" }, onError);
  const queues = queueNames.map((name) => {
    const queue = new Queue(name, { connection, prefix: queuePrefix });
    queue.on("error", onError);
    return queue;
  });
  const serverAdapter = new FastifyAdapter();
  serverAdapter.setBasePath("/queues");
  createBullBoard({ queues: queues.map((queue) => new BullMQAdapter(queue)), serverAdapter });
  await api.register(serverAdapter.registerPlugin(), { prefix: "/queues" });
  api.addHook("onClose", () => connection.disconnect());
}
