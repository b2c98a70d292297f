import assert from "node:assert/strict";
import { test } from "node:test";
import { whenPresent } from "../support/presence-client.ts";
import { startTestStack } from "../support/start-stack.ts";
import { waitFor } from "../support/wait-for.ts";
import { enterAs, openBrowser, openPage } from "./open-browser.ts";

test("[P3] the page's people list and inbox change without a reload: green, busy, two devices, grey with last seen", async (t) => {
  const stack = await startTestStack(t, { presence: 1, chat: 1 });
  await whenPresent(stack, 2);
  const browser = await openBrowser(t);
  const ada = await openPage(browser, stack.httpUrl(1));
  const grace = await openPage(browser, stack.httpUrl(2));
  await enterAs(ada, "Ada");
  await enterAs(grace, "Grace");

  const row = ada.locator(".person", { hasText: "Grace" });
  const dot = (status: string) => row.getByRole("img", { name: status });
  await dot("online").waitFor();
  await grace.getByLabel("My status").selectOption("busy");
  await dot("busy").waitFor();
  await grace.getByLabel("My status").selectOption("online");
  await dot("online").waitFor();

  // The same person elsewhere is a second device, and no second person.
  const elsewhere = await openPage(browser, stack.httpUrl(2), { storageState: await grace.context().storageState() });
  await elsewhere.locator(".person", { hasText: "Grace" }).getByText("2 devices").waitFor();
  assert.equal(await row.count(), 1);
  await elsewhere.close();

  const api = (path: string, body?: unknown) =>
    fetch(`${stack.internalUrl("presence", 1)}${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers: { Authorization: `Bearer ${stack.serviceToken}`, "Content-Type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).then((response) => response.json() as Promise<Record<string, unknown>>);
  const { users } = (await api("/v1/active-users")) as { users: { id: string; name: string }[] };
  const id = users.find(({ name }) => name === "Ada")?.id ?? "";
  for (const text of ["It has left the warehouse", "It is at your door"])
    await api("/v1/emit-user", { users: [id], event: "inbox", data: { title: "Your parcel", text } });
  await waitFor("both in Ada's inbox, the newest first", async () => {
    const texts = await ada.locator(".inbox li p").allTextContents();
    return texts.join() === "It is at your door,It has left the warehouse";
  });
  assert.equal(await grace.locator(".inbox").count(), 0);

  await grace.close();
  await dot("offline").waitFor();
  await row.getByText("last seen just now").waitFor();
});
