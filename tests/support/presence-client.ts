import type { ActiveUsersData, PresenceData, PresentUser, User } from "@parley/protocol";
import type { TestStack } from "./start-stack.ts";
import { waitFor } from "./wait-for.ts";
import { connectTestClient, type TestClient } from "./websocket-client.ts";

export interface PresenceClient extends TestClient {
  user: User;
  token: string;
  activeUsers: ActiveUsersData;
  /** What it was told of this user, one kind of change, oldest first. */
  told(kind: "online" | "update" | "offline", id: string): PresentUser[];
  /** Status of everyone, as this client knows it from Register and what it was told since. */
  knows(): Map<string, string>;
}

export interface PresenceClientOptions {
  gateway?: number;
  presence?: "all" | "rooms" | "none";
  /** Instead of a new guest. */
  token?: string;
  rooms?: Record<string, object>;
}

/** Connects and registers. */
export async function connectPresenceClient(
  stack: TestStack,
  name: string,
  { gateway = 1, presence = "all", token, rooms = {} }: PresenceClientOptions = {},
): Promise<PresenceClient> {
  const client = await connectTestClient(`${stack.wsUrl(gateway)}/ws`);
  const identity = token ? { token } : { guest: true, name };
  const data = await client.request<Pick<PresenceClient, "user" | "token" | "activeUsers">>("Register", {
    ...identity,
    presence,
    rooms,
  });
  const news = () => client.events.filter(({ event }) => event === "presence").map(({ data }) => data as PresenceData);
  return Object.assign(client, data, {
    told: (kind: "online" | "update" | "offline", id: string) =>
      news().flatMap((each) => (each[kind] ?? []).filter((user) => user.id === id)),
    knows: () => {
      const known = new Map<string, string>(data.activeUsers.users.map(({ id, status }) => [id, status]));
      for (const { online = [], update = [], offline = [] } of news()) {
        for (const { id, status } of [...online, ...update]) known.set(id, status);
        for (const { id } of offline) known.delete(id);
      }
      return known;
    },
  });
}

/** Resolves once every gateway of the stack keeps presence. */
export async function whenPresent(stack: TestStack, gateways: number): Promise<void> {
  for (let gateway = 1; gateway <= gateways; gateway++)
    await waitFor(`presence at gateway ${gateway}`, async () => {
      const client = await connectPresenceClient(stack, "first", { gateway, presence: "none" });
      await client.send("Unregister");
      return !client.activeUsers.frozen;
    });
}
