import assert from "node:assert/strict";
import { after, test } from "node:test";
import { makeToken } from "@parley/local";
import { startTestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { connectTestClient } from "../support/websocket-client.ts";

const stack = await startTestStack({ after }, { gateways: 2, chat: 2, notify: 1 });
const headers = { authorization: `Bearer ${stack.serviceToken}`, "content-type": "application/json" };
const chatApi = (path: string, method = "GET") =>
  fetch(`${stack.internalUrl("chat", 1)}/v1${path}`, { method, headers: { authorization: headers.authorization } });

async function registered(user: string, name: string) {
  const client = await connectTestClient(`${stack.wsUrl(user === "ada" ? 1 : 2)}/ws`);
  await client.request("Register", { token: await makeToken(["--user", user, "--name", name], stack.tokenSecret) });
  return client;
}

test("a person who is forgotten is out, and nowhere named; what they said stays, as a deleted user's", async () => {
  const ada = await registered("ada", "Ada Lovelace");
  const bob = await registered("bob", "Bob");
  for (const client of [ada, bob]) for (const room of ["one", "two"]) await client.request("JoinRoom", { room });
  for (const n of [1, 2, 3]) {
    await ada.request("SendMessage", { room: "one", clientMessageId: `a${n}`, text: `by ada ${n}` });
    await bob.request("SendMessage", { room: "one", clientMessageId: `b${n}`, text: `by bob ${n}, to Ada` });
  }
  await ada.request("SendMessage", { room: "two", clientMessageId: "x", text: "also by ada" });
  const noticed = await fetch(`${stack.internalUrl("notify", 1)}/v1/notifications`, {
    ...{ method: "POST", headers },
    body: JSON.stringify({ user: "ada", kind: "app", title: "Dear Ada Lovelace", body: "x" }),
  });
  assert.equal(noticed.status, 202);

  const exported = (await (await chatApi("/users/ada/export")).text())
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.equal(exported.filter(({ entry }) => entry).length, 4);
  assert.equal(exported.filter(({ membership }) => membership).length, 2);
  assert.equal(exported.find(({ user }) => user).user.name, "Ada Lovelace");

  const answer = await chatApi("/users/ada", "DELETE");
  assert.equal(answer.status, 200);
  assert.deepEqual(await answer.json(), { entries: 4, rooms: 2, notices: true });
  assert.equal((await ada.closed).code, 4503);
  const told = await bob.waitForEvent("message.system", ({ room }) => room === "one");
  assert.deepEqual((told.data as { data: { event: string } }).data.event, "user.forgotten");

  for (const room of ["one", "two"]) {
    const { entries } = await bob.request<{
      entries: { kind: string; sender: { id: string; name: string }; text: string }[];
    }>("History", { room });
    const hers = entries.filter(({ text }) => text?.includes("by ada"));
    assert.equal(hers.length, room === "one" ? 3 : 1);
    for (const { sender } of hers) assert.deepEqual(sender, { id: "deleted", name: "Deleted user" });
    assert.equal(
      entries.filter(({ text }) => text?.includes("by bob")).every(({ sender }) => sender.name === "Bob"),
      true,
    );
    assert.doesNotMatch(JSON.stringify(entries), /Lovelace|"ada"/);
  }
  const left = (await (await chatApi("/users/ada/export")).text()).trim();
  assert.doesNotMatch(left, /Lovelace|membership|entry/);
  const list = await fetch(`${stack.internalUrl("notify", 1)}/v1/users/ada/notifications`, { headers });
  assert.doesNotMatch(await list.text(), /Lovelace/);

  // Again, with nothing left to do; and for somebody nobody knows.
  assert.deepEqual(await (await chatApi("/users/ada", "DELETE")).json(), { entries: 0, rooms: 0, notices: true });
  assert.deepEqual(await (await chatApi("/users/nobody", "DELETE")).json(), { entries: 0, rooms: 0, notices: true });
  await bob.close();
});

test("while the notify service is away, forgetting says so, and can be repeated", async () => {
  stack.kill9("notify", 1);
  const { notices } = (await (await chatApi("/users/carol", "DELETE")).json()) as { notices: boolean };
  assert.equal(typeof notices, "boolean");
  await waitFor("notify to be back", async () => {
    const again = (await (await chatApi("/users/carol", "DELETE")).json()) as { notices: boolean };
    return again.notices;
  });
});
