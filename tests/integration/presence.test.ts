/** Presence on a real stack: two gateways, two presence workers, Redis. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import type { ActiveUsersData, PresenceData, PresentUser } from "@parley/protocol";
import { startTestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { connectTestClient, type TestClient } from "../support/websocket-client.ts";

const stack = await startTestStack({ after }, { presence: 2, chat: 1 });

describe("presence", () => {
  const connect = async (name: string, options: { gateway?: number; presence?: string; token?: string } = {}) => {
    const client = await connectTestClient(`${stack.wsUrl(options.gateway ?? 1)}/ws`);
    const identity = options.token ? { token: options.token } : { guest: true, name };
    const data = await client.request<{ user: PresentUser; token: string; activeUsers: ActiveUsersData }>("Register", {
      ...identity,
      presence: options.presence ?? "all",
    });
    return Object.assign(client, data);
  };
  const told = (client: TestClient, kind: "online" | "update" | "offline", id: string): PresentUser[] =>
    client.events
      .filter(({ event }) => event === "presence")
      .flatMap(({ data }) => (data as PresenceData)[kind] ?? [])
      .filter((user) => user.id === id);

  test("[P3] Register answers with who is here and tells all others, on every node", async () => {
    const ada = await connect("Ada");
    const bob = await connect("Bob", { gateway: 2 });
    assert.deepEqual(new Set(bob.activeUsers.users.map(({ id }) => id)), new Set([ada.user.id, bob.user.id]));
    assert.equal(bob.activeUsers.total, 2);
    assert.equal(bob.activeUsers.frozen, undefined);
    const online = await waitFor("Bob online", () => told(ada, "online", bob.user.id)[0]);
    assert.deepEqual(
      { name: online.name, guest: online.guest, status: online.status, devices: online.devices },
      { name: "Bob", guest: true, status: "online", devices: 1 },
    );
    await bob.request("SetStatus", { status: "busy", text: "in a call" });
    const busy = await waitFor("Bob busy", () => told(ada, "update", bob.user.id)[0]);
    assert.deepEqual([busy.status, busy.statusText], ["busy", "in a call"]);
    const second = await connect("Bob", { token: bob.token });
    assert.equal(second.activeUsers.total, 2);
    assert.equal(second.activeUsers.users.find(({ id }) => id === bob.user.id)?.devices, 2);
    await bob.request("Unregister");
    await second.request("Unregister");
    const offline = await waitFor("Bob offline", () => told(ada, "offline", bob.user.id)[0], { timeoutMs: 3_000 });
    assert.equal(offline.status, "offline");
    assert.ok(Date.now() - Date.parse(offline.lastSeenAt as string) < 10_000);
    await ada.request("Unregister");
  });
});
