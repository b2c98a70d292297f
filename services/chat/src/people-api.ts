/** Internal API about people: putting somebody out, forgetting them, and handing out what is kept of them. */
import { Readable } from "node:stream";
import { checkUserId } from "@parley/protocol";
import { type InternalApi, Type } from "@parley/service-kit";
import type { Chat } from "./chat.ts";
import { exportUser } from "./export-user.ts";
import { forgetUser } from "./forget-user.ts";
import { revoke } from "./revocations.ts";

const UserParams = Type.Object({ user: Type.String({ minLength: 1, maxLength: 1_024 }) });
const TokenParams = Type.Object({ tokenId: Type.String({ minLength: 1, maxLength: 1_024 }) });

export function addPeople(api: InternalApi, { deps, askForget, askKept }: Chat): void {
  const tags = ["people"];
  api.delete(
    "/v1/users/:user",
    {
      schema: {
        tags,
        summary:
          "Forget a person everywhere; what they said stays, as a deleted user's. Call again if notices is false",
        params: UserParams,
      },
    },
    async ({ params }) => forgetUser(deps, checkUserId(params.user), askForget),
  );
  api.get(
    "/v1/users/:user/export",
    {
      schema: { tags, summary: "All that is kept of a person, as lines of JSON", params: UserParams },
    },
    async ({ params }, reply) => {
      const lines = await exportUser(deps, checkUserId(params.user), askKept);
      return reply.type("application/x-ndjson; charset=utf-8").send(Readable.from(lines));
    },
  );
  api.post(
    "/v1/users/:user/revoke",
    {
      schema: {
        tags,
        summary: "End a user's sessions (4503); no token issued until now lets them in again",
        params: UserParams,
      },
    },
    async ({ params }, reply) => {
      await revoke(deps, { user: checkUserId(params.user) });
      return reply.status(204).send();
    },
  );
  api.post(
    "/v1/tokens/:tokenId/revoke",
    { schema: { tags, summary: "The same for one token, by its jti", params: TokenParams } },
    async ({ params }, reply) => {
      await revoke(deps, { tokenId: params.tokenId });
      return reply.status(204).send();
    },
  );
}
