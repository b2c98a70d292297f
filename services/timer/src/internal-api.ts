/** The timer worker's internal API: what an application's backend does with timers, whoever controls them otherwise. */
import { checkRoomName, Refusal, readDuration, readTimerChanges } from "@parley/protocol";
import { type ApiAccess, createInternalApi, type InternalApi, type Telemetry, Type } from "@parley/service-kit";
import type { RoomRecord } from "@parley/store";
import type { Change } from "./carry-out.ts";
import { remainingAt, reset, set, start, stop, viewOf } from "./countdown.ts";
import type { TimerDeps, TimerWorker } from "./timer.ts";
import { type Timer, timerOf } from "./timer-record.ts";

const RoomParams = Type.Object({
  room: Type.String({ minLength: 1, maxLength: 1_024, description: "name of a room, 1 to 128 characters" }),
});
const Duration = Type.Union([Type.String(), Type.Number()], {
  description: "HH:mm:ss or whole seconds, from 00:00:01 to 99:59:59",
});
const Begin = Type.Union([
  Type.Object({ duration: Type.Optional(Duration) }, { additionalProperties: false }),
  Type.Null(),
]);
const Changes = Type.Object(
  {
    duration: Type.Optional(Duration),
    cycle: Type.Optional(
      Type.Unknown({ description: "true, false, or {shortBreak?, longBreak?, rounds?, auto?}; breaks as duration" }),
    ),
    control: Type.Optional(Type.String({ description: "anyone, members or moderators" })),
  },
  { additionalProperties: false },
);
const Paging = Type.Object({
  after: Type.Optional(Type.String({ description: "rooms whose name comes after this" })),
  limit: Type.Integer({ minimum: 1, maximum: 500, default: 100 }),
});

export async function createTimerApi(options: {
  timer: TimerWorker;
  telemetry: Telemetry;
  access: ApiAccess;
}): Promise<InternalApi> {
  const { timer, telemetry, ...rest } = options;
  const api = await createInternalApi({
    ...rest,
    ...telemetry,
    title: "Parley timer",
    description: "The rooms' timers. Any worker answers for all of them.",
    isReady: timer.isReady,
  });
  addTimers(api, timer.deps);
  return api;
}

function addTimers(api: InternalApi, deps: TimerDeps): void {
  const tags = ["timers"];
  const { store, timers, running } = deps;

  const shown = (timer: Timer) => ({
    room: timer.room,
    ...viewOf(timer, Math.ceil(remainingAt(timer, running.nowFor(timer)))),
    notify: timer.notify,
  });
  const present = async (name: string): Promise<RoomRecord> => {
    const [room] = await store.rooms.find([checkRoomName(name)]);
    if (!room) throw new Refusal("not_found", "There is no room of this name");
    return room;
  };
  const change = async (name: string, apply: Change["apply"]): Promise<Timer> =>
    timers.change(await present(name), { ask: null, repeated: false, apply });
  const durationOf = (body: { duration?: unknown } | null) =>
    body?.duration === undefined ? null : readDuration(body.duration, "duration");

  api.get(
    "/v1/timers",
    { schema: { tags, summary: "Timers by room name", querystring: Paging } },
    async ({ query }) => {
      const records = await store.timers.list({ after: query.after ?? null, limit: query.limit });
      const next = records.length === query.limit ? records[records.length - 1]?.room : null;
      return { timers: records.map((record) => shown(timerOf(record))), next: next ?? null };
    },
  );
  api.get("/v1/timers/:room", { schema: { tags, summary: "A room's timer", params: RoomParams } }, async ({ params }) =>
    shown(await timers.read(await present(params.room))),
  );
  api.patch(
    "/v1/timers/:room",
    { schema: { tags, summary: "Set length, cycle, or who controls it", params: RoomParams, body: Changes } },
    async ({ params, body }) => {
      const changes = readTimerChanges(body);
      return shown(await change(params.room, (timer) => set(timer, changes)));
    },
  );
  api.post(
    "/v1/timers/:room/start",
    {
      schema: {
        tags,
        summary: "Start, or go on; 409 with timer_already_started while it runs",
        params: RoomParams,
        body: Begin,
      },
    },
    async ({ params, body }) => {
      const durationMs = durationOf(body);
      return shown(await change(params.room, (timer, nowMs) => start(timer, nowMs, durationMs)));
    },
  );
  api.post(
    "/v1/timers/:room/stop",
    {
      schema: {
        tags,
        summary: "Stop, and keep what remains; 409 with timer_already_stopped while it stands",
        params: RoomParams,
      },
    },
    async ({ params }) => shown(await change(params.room, stop)),
  );
  api.post(
    "/v1/timers/:room/reset",
    { schema: { tags, summary: "Stand at the beginning", params: RoomParams, body: Begin } },
    async ({ params, body }) => {
      const durationMs = durationOf(body);
      return shown(await change(params.room, (timer) => reset(timer, durationMs)));
    },
  );
}
