import assert from "node:assert/strict";
import { after, test } from "node:test";
import { makeToken } from "@parley/local";
import { startTestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { connectTestClient } from "../support/websocket-client.ts";

const stack = await startTestStack(
  { after },
  { gateways: 2, chat: 2, notify: 1, sms: 1, env: { SWEEP_EVERY_MS: "500" } },
);
const headers = { authorization: `Bearer ${stack.serviceToken}`, "content-type": "application/json" };
const chatApi = (path: string, method = "GET") =>
  fetch(`${stack.internalUrl("chat", 1)}/v1${path}`, { method, headers: { authorization: headers.authorization } });

const notifyApi = (method: string, path: string, body: object) =>
  fetch(`${stack.internalUrl("notify", 1)}/v1${path}`, { method, headers, body: JSON.stringify(body) });

/** The lines of an export, by what each is. */
async function exported(user: string): Promise<Record<string, Record<string, unknown>[]>> {
  const response = await chatApi(`/users/${user}/export`);
  assert.equal(response.status, 200);
  const lines = (await response.text()).split("\n").filter((line) => line !== "");
  const all: Record<string, Record<string, unknown>[]> = {};
  for (const line of lines)
    for (const [what, value] of Object.entries(JSON.parse(line))) all[what] = [...(all[what] ?? []), value as never];
  return all;
}

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

  const before = await exported("ada");
  assert.equal(before.entry?.length, 4);
  assert.equal(before.membership?.length, 2);
  assert.equal(before.notification?.length, 1);

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

test("an export holds all that is kept of a person; of one who was forgotten nothing is", async () => {
  const carol = await registered("carol", "Carol Shaw");
  const phone = "+12025550177";
  await carol.request("JoinRoom", { room: "one" });
  await carol.request("SendMessage", { room: "one", clientMessageId: "c1", text: "by carol" });
  const { room } = await carol.request<{ room: string }>("OpenTicket", { subject: "lost card", text: "please help" });
  const preferred = await notifyApi("PATCH", "/users/carol/preferences", { phone, mutedRooms: ["two"] });
  assert.equal(preferred.status, 200);
  // More than one page of each.
  const many = 120;
  for (let n = 0; n < many; n++) {
    const notice = { user: "carol", kind: "news", title: `news ${n}`, data: { n } };
    assert.equal((await notifyApi("POST", "/notifications", notice)).status, 202);
  }
  for (let n = 0; n < 25; n++) {
    const sms = { to: phone, text: `code ${n}`, kind: "transactional" };
    assert.equal((await notifyApi("POST", "/sms", sms)).status, 202);
  }

  const all = await exported("carol");
  assert.deepEqual(Object.keys(all).sort(), [
    ...["entry", "membership", "notification", "preferences", "sms", "ticket", "user"],
  ]);
  assert.equal(all.user?.[0]?.name, "Carol Shaw");
  assert.deepEqual(all.membership?.map((each) => each.room).sort(), ["one", room].sort());
  const texts = all.entry?.map(({ entry }) => (entry as { text: string }).text).sort();
  assert.deepEqual(texts, ["by carol", "please help"]);
  assert.deepEqual(
    all.ticket?.map(({ room, subject, askerName }) => [room, subject, askerName]),
    [[room, "lost card", "Carol Shaw"]],
  );
  assert.equal(new Set(all.notification?.map(({ title }) => title)).size, many);
  assert.deepEqual([...new Set(all.sms?.map(({ to }) => to))], [phone]);
  assert.equal(new Set(all.sms?.map(({ text }) => text)).size, 25);
  assert.deepEqual(
    all.preferences?.map(({ phone, mutedRooms }) => [phone, mutedRooms]),
    [[phone, ["two"]]],
  );

  assert.equal((await chatApi("/users/carol", "DELETE")).status, 200);
  await carol.closed;
  // What is left of the record, and of the ticket, are the deleted user's; the next sweep removes the record.
  await waitFor("the record to be swept", async () => {
    const left = await exported("carol");
    assert.doesNotMatch(JSON.stringify(left), /Carol|Shaw|card|2025550177|by carol|help/);
    return Object.keys(left).join() === "ticket";
  });
  assert.deepEqual(await exported("nobody"), {});
});

test("while the notify service is away, forgetting says so, and can be repeated", async () => {
  stack.pause("notify", 1);
  const half = await chatApi("/users/bob/export");
  assert.equal(half.status, 503, "half an export would look like a whole one");
  assert.equal(((await half.json()) as { code: string }).code, "unavailable");
  stack.resume("notify", 1);
  stack.kill9("notify", 1);
  const { notices } = (await (await chatApi("/users/carol", "DELETE")).json()) as { notices: boolean };
  assert.equal(typeof notices, "boolean");
  await waitFor("notify to be back", async () => {
    const again = (await (await chatApi("/users/carol", "DELETE")).json()) as { notices: boolean };
    return again.notices;
  });
});
