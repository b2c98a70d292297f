/** Internal API about people: putting somebody out. */
import { checkUserId } from "@parley/protocol";
import { type InternalApi, Type } from "@parley/service-kit";
import type { ChatDeps } from "./chat.ts";
import { revoke } from "./revocations.ts";

const UserParams = Type.Object({ user: Type.String({ minLength: 1, maxLength: 1_024 }) });
const TokenParams = Type.Object({ tokenId: Type.String({ minLength: 1, maxLength: 1_024 }) });

export function addPeople(api: InternalApi, deps: ChatDeps): void {
  const tags = ["people"];
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
