/** The gateway's internal API: who is connected here, and how to let go of them. */
import {
  type ApiAccess,
  ApiError,
  createInternalApi,
  type InternalApi,
  type Telemetry,
  Type,
} from "@parley/service-kit";
import type { Gateway } from "./gateway.ts";

export async function createGatewayApi(options: {
  gateway: Gateway;
  access: ApiAccess;
  telemetry: Telemetry;
}): Promise<InternalApi> {
  const { gateway } = options;
  const api = await createInternalApi({
    title: "Parley gateway",
    description: "Connections of one gateway.",
    access: options.access,
    ...options.telemetry,
    isReady: gateway.isReady,
  });
  const tags = ["sessions"];
  const limit = Type.Object({ limit: Type.Integer({ minimum: 1, maximum: 1_000, default: 100 }) });
  api.get(
    "/v1/sessions",
    { schema: { tags, summary: "Counts, and some of the sessions", querystring: limit } },
    ({ query }) => {
      const sessions = [];
      for (const { id, user, rooms } of gateway.sessions()) {
        if (sessions.length >= query.limit) break;
        sessions.push({ session: id, user: user?.id ?? null, rooms: rooms.size });
      }
      return { node: gateway.node, ...gateway.stats(), list: sessions };
    },
  );
  api.post(
    "/v1/sessions/:session/disconnect",
    {
      schema: {
        tags,
        summary: "Close a session; its client comes not back by itself",
        params: Type.Object({ session: Type.String() }),
      },
    },
    ({ params }, reply) => {
      const session = gateway.session(params.session);
      if (!session) throw new ApiError(404, "not_found", "There is no such session on this gateway");
      session.link.close("removed");
      return reply.status(204).send();
    },
  );
  api.post(
    "/v1/drain",
    {
      schema: {
        tags,
        summary: "Let all clients go, spread over a time",
        body: Type.Object({ ms: Type.Integer({ minimum: 0, maximum: 600_000 }) }),
      },
    },
    ({ body }, reply) => {
      void gateway.drain(body.ms);
      return reply.status(202).send({ draining: true });
    },
  );
  return api;
}
