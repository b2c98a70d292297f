import { codeOf, codeOfAny, type HostileCase, type HostileWorld } from "./hostile-case.ts";

let lastId = 0;
const message = (room: string, more: object = {}) => ({ room, clientMessageId: `h${++lastId}`, text: "x", ...more });

/** What registered users send: forged fields, cursors, names, and what they have no right to. */
export function eventCases(): HostileCase[] {
  const asks = (what: string, event: string, fields: object, answer: string): HostileCase => ({
    what: `${event}: ${what}`,
    answer,
    run: async ({ user }) => codeOfAny(await user("--user", "mallory"), event, fields),
  });
  const entryOf = async (world: HostileWorld, fields: object): Promise<Record<string, unknown>> => {
    const client = await world.user("--user", "mallory");
    const room = `forged ${++lastId}`;
    await client.request("SendMessage", { ...message(room), ...fields });
    const { entries } = await client.request<{ entries: Record<string, unknown>[] }>("History", { room });
    return entries[0] as Record<string, unknown>;
  };
  const forged = (
    what: string,
    fields: object,
    answer: string,
    look: (entry: Record<string, unknown>) => unknown,
  ): HostileCase => ({
    what: `SendMessage: ${what}`,
    answer,
    run: async (world) => JSON.stringify(look(await entryOf(world, fields))),
  });
  const room = (name: string, what: string, answer: string): HostileCase =>
    asks(`to the room ${what}`, "SendMessage", message(name), answer);
  const rights = (what: string, args: string[], event: string, fields: object, answer = "forbidden"): HostileCase => ({
    what: `rights: ${what}`,
    answer,
    run: async (world) => {
      const owner = await world.user("--user", "owner");
      await owner.send("JoinRoom", { room: "owned" });
      await owner.send("SendMessage", { room: "owned", clientMessageId: "first", text: "x" });
      const client = await world.user("--user", "mallory", ...args);
      return codeOf(await client.send(event, fields));
    },
  });
  const about = { room: "owned", target: 1 };
  return [
    forged(
      "a sender of one's own",
      { sender: { id: "victim", name: "Victim" }, user: "victim", userId: "victim" },
      '{"id":"mallory","name":"mallory"}',
      ({ sender }) => sender,
    ),
    forged("a seq of one's own", { seq: 99 }, "1", ({ seq }) => seq),
    forged(
      "a time of one's own",
      { at: "1970-01-01T00:00:00.000Z" },
      "true",
      ({ at }) => Date.parse(String(at)) > 1e12,
    ),
    forged("a kind of one's own", { kind: "system" }, '"message"', ({ kind }) => kind),
    forged(
      "operators of a query as data",
      { data: { $gt: "", $where: "1" } },
      '{"$gt":"","$where":"1"}',
      ({ data }) => data,
    ),
    forged(
      "text that looks like a frame",
      { text: '"},"seq":7,"x":{"' },
      '"\\"},\\"seq\\":7,\\"x\\":{\\""',
      ({ text }) => text,
    ),
    asks("an operator as the room", "SendMessage", message("x", { room: { $ne: null } }), "bad_request"),
    asks("an operator as the text", "SendMessage", message("x", { text: { $ne: null } }), "bad_request"),
    asks("an operator as the id", "SendMessage", message("x", { clientMessageId: { $gt: "" } }), "bad_request"),
    asks(
      "data nested 17 deep",
      "SendMessage",
      message("x", { data: JSON.parse("[".repeat(15) + "]".repeat(15)) }),
      "bad_frame",
    ),
    asks("the key __proto__", "SendMessage", message("x", { data: JSON.parse('{"__proto__":{"a":1}}') }), "bad_frame"),
    asks("the key constructor", "SendMessage", message("x", { data: { constructor: 1 } }), "bad_frame"),
    asks("the key prototype, deep", "SendMessage", message("x", { data: [{ a: { prototype: 1 } }] }), "bad_frame"),
    asks("text over 16 KiB", "SendMessage", message("x", { text: "x".repeat(16_385) }), "too_large"),
    asks("before -1", "History", { room: "owned", before: -1 }, "bad_request"),
    asks("after 2^53 + 1", "History", { room: "owned", after: 2 ** 53 + 2 }, "bad_request"),
    asks("after 1.5", "History", { room: "owned", after: 1.5 }, "bad_request"),
    asks("a page of 10^9", "History", { room: "lobby of mallory", limit: 1e9 }, "forbidden"),
    asks("since -1", "JoinRoom", { room: "x", since: -1 }, "bad_request"),
    asks("since an object", "JoinRoom", { room: "x", since: { $gt: 0 } }, "bad_request"),
    asks("past the head", "MarkRead", { room: "nowhere", seq: 2 ** 53 - 1 }, "forbidden"),
    asks("an event nobody knows", "DropTables", {}, "unknown_event"),
    asks("an event of the prototype", "toString", {}, "unknown_event"),
    asks("a name of the protocol's", "Emit", { room: "x", event: "message", data: 1 }, "bad_request"),
    room("*", "*", "ok"),
    room(">", ">", "ok"),
    room("$JS.API.x", "$JS.API.x", "ok"),
    room("_INBOX.x", "_INBOX.x", "ok"),
    room("parley.gateway.all", "parley.gateway.all", "ok"),
    room("a\r\nPUB x 1\r\n", "with CRLF", "bad_request"),
    room("a\u0000b", "with NUL", "bad_request"),
    room("x".repeat(300), "of 300 characters", "bad_request"),
    room("", "of no character", "bad_request"),
    room("\ud800", "of half a surrogate", "bad_request"),
    rights("join without it", ["--rights", "send"], "JoinRoom", { room: "owned" }),
    rights("send without it", ["--rights", "join"], "SendMessage", message("owned")),
    rights("history without it", ["--rights", "send"], "History", { room: "owned" }),
    rights("edit without it", ["--rights", "join"], "EditMessage", { ...about, clientMessageId: "e", text: "y" }),
    rights("edit another's", [], "EditMessage", { ...about, clientMessageId: "e", text: "y" }),
    rights("delete another's", [], "DeleteMessage", { ...about, clientMessageId: "d" }),
    rights("react without it", ["--rights", "join"], "React", { ...about, clientMessageId: "r", emoji: "x" }),
    rights("join outside the patterns", ["--rooms", "board-*"], "JoinRoom", { room: "owned" }),
    rights("join of a room that is not there, outside the patterns", ["--rooms", "board-*"], "JoinRoom", {
      room: "not there",
    }),
    rights("send outside the patterns", ["--rooms", "board-*"], "SendMessage", message("owned")),
    rights("history outside the patterns", ["--rooms", "board-*"], "History", { room: "owned" }),
    rights("start a timer without it", ["--rights", "join,send"], "StartTimer", { room: "owned", duration: 60 }),
    rights("emit to users without it", [], "Emit", { users: ["owner"], event: "x", data: 1 }),
    rights("emit to all without it", [], "Emit", { all: true, event: "x", data: 1 }),
    rights("emit to a room one is not in", [], "Emit", { room: "owned", event: "x", data: 1 }),
    rights("type in a room one is not in", [], "Typing", { room: "owned", typing: true }),
    {
      what: "Emit: a name that would end the frame's own and forge a message",
      answer: "heard under that very name, and no message",
      run: async ({ user }) => {
        const name = 'x","event":"message","seq":9,"y":"';
        const [mallory, victim] = [await user("--user", "mallory"), await user("--user", "victim")];
        for (const client of [mallory, victim]) await client.request("JoinRoom", { room: "emitted" });
        await mallory.request("Emit", { room: "emitted", event: name, data: 1 });
        await mallory.request("Emit", { room: "emitted", event: "\\", data: 1 });
        await victim.waitForEvent("\\");
        const names = victim.events.map(({ event }) => event);
        return names.includes(name) && !names.includes("message")
          ? "heard under that very name, and no message"
          : names.join();
      },
    },
    {
      what: "limits: a user who spreads over the nodes",
      answer: "limited to a user's rate",
      run: async ({ stack, token, stranger }) => {
        const clients = await Promise.all([1, 2, 1, 2, 1, 2].map((gateway) => stranger(gateway)));
        const signed = await token("--user", "busy");
        await Promise.all(clients.map((client) => client.request("Register", { token: signed })));
        let taken = 0;
        const endsAtMs = Date.now() + 3_000;
        const startMs = Date.now();
        await Promise.all(
          clients.map(async (client) => {
            while (Date.now() < endsAtMs) {
              const replies = await Promise.all(Array.from({ length: 5 }, () => client.send("Heartbeat")));
              taken += replies.filter(({ success }) => success).length;
              await new Promise((resolve) => setTimeout(resolve, 100));
            }
          }),
        );
        const perSecond = taken / ((Date.now() - startMs) / 1000);
        void stack;
        // Six connections would get 300 a second; a user gets 150, and a burst of 300 on each of two nodes.
        return perSecond < 150 + 600 / 3 + 30 ? "limited to a user's rate" : `${perSecond} a second`;
      },
    },
  ];
}
