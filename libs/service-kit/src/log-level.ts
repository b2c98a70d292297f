import { Type } from "typebox";
import type { InternalApi } from "./internal-api.ts";
import type { Logger } from "./logger.ts";

export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal"] as const;
const Level = Type.Object({ level: Type.Union(logLevels.map((level) => Type.Literal(level))) });

/** `/v1/log-level`: what this process logs, from now until it ends. */
export function addLogLevelRoutes(api: InternalApi, logger: Logger): void {
  const tags = ["operations"];
  api.get("/v1/log-level", { schema: { tags, summary: "What this process logs" } }, () => ({ level: logger.level }));
  api.put(
    "/v1/log-level",
    { schema: { tags, summary: "Log more or less, until this process ends", body: Level } },
    ({ body }) => {
      logger.level = body.level;
      logger.info({ level: body.level }, "log level changed by the API");
      return body;
    },
  );
}
