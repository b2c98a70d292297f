import assert from "node:assert/strict";
import { test } from "node:test";
import { number, startSmsStack, statusesOf, timesTaken } from "../support/sms-stack.ts";
import { testStore } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";

const rounds = 3;
/** What may stand in for MongoDB takes a tenth of a second for all that it notes of one SMS. */
const perRound = testStore() === "mongodb" ? 40 : 100;

test("[N1] the SMS worker killed before and after the provider took it: never a second SMS, but where that was asked for", async (t) => {
  const { api, provider, stack } = await startSmsStack(t);
  const send = async (n: number, onUnknown: "settle" | "resend", text: string) =>
    (await api.send({ to: number(n), text, kind: n % 2 ? "transactional" : "bulk", onUnknown })).body.id;
  provider.behave(({ text }) => (text === "not taken" ? "hang" : text === "taken" ? "accept silently" : "accept"));
  const [a, b, c, d] = await Promise.all([
    send(1, "settle", "not taken"),
    send(2, "settle", "taken"),
    send(3, "resend", "not taken"),
    send(4, "resend", "taken"),
  ]);
  await waitFor("the provider to have all four", () => provider.calls.length === 4);
  stack.kill9("sms", 1);
  await waitFor("the connections to be gone", () => provider.calls.every(({ gone }) => gone));
  provider.behave(() => "accept");
  const statuses = await statusesOf(api, [a, b, c, d]);
  assert.deepEqual(
    [a, b, c, d].map((id) => statuses.get(id)),
    ["unknown", "unknown", "sent", "sent"],
  );
  assert.deepEqual(
    [a, b, c, d].map((id) => timesTaken(provider.taken, id)),
    [0, 1, 1, 2],
  );
});

test(`[N1] the SMS worker killed again and again under load: each of ${rounds * perRound} ends, none is lost, none is taken twice`, async (t) => {
  const { api, provider, stack } = await startSmsStack(t);
  const ids: string[] = [];
  for (let round = 0; round < rounds; round++) {
    const answers = await Promise.all(
      Array.from({ length: perRound }, (_, n) =>
        api.send({ to: number(round * perRound + n), text: `n ${n}`, kind: n % 2 ? "transactional" : "bulk" }),
      ),
    );
    ids.push(...answers.map(({ body }) => body.id));
    const enough = provider.taken.length + 20;
    await waitFor("some to be sent", () => provider.taken.length >= Math.min(enough, ids.length));
    // What the provider was asked before the last kill may be enough: then the worker may not be there yet.
    await waitFor("its restart", () => stack.restarts("sms", 1) >= round);
    stack.kill9("sms", 1);
  }
  const statuses = await statusesOf(api, ids);
  const taken = new Set(provider.taken);
  assert.equal(provider.taken.length, taken.size, "none twice");
  for (const id of ids) {
    assert.ok(["sent", "unknown"].includes(statuses.get(id) ?? ""), `${id} is ${statuses.get(id)}`);
    if (statuses.get(id) === "sent") assert.ok(taken.has(id), `${id} is sent and was not taken`);
  }
});
