import assert from "node:assert/strict";
import test from "node:test";
import { noPreferences, type QuietHours } from "@parley/protocol";
import fc from "fast-check";
import { mentioned } from "../src/mentions.ts";
import { oneLine } from "../src/one-line.ts";
import { type PlanInput, planFor } from "../src/plan.ts";
import { quietUntil } from "../src/quiet-hours.ts";

const noon = Date.parse("2026-11-21T12:00:00Z");
const night: QuietHours = { from: "22:00", to: "07:00", timeZone: "Europe/Paris" };
const input = (changes: Partial<PlanInput> = {}): PlanInput => ({
  ...{ kind: "mention", room: "board-1", channels: null, preferences: noPreferences, nowMs: noon, atMs: noon },
  ...{ lastToldMs: null, unlessRead: null, unseenMs: 600_000, ...changes },
});
const channelsOf = (changes: Partial<PlanInput>) =>
  planFor(input(changes))?.steps.map(({ channel }) => channel) ?? null;

test("a plan has the channels that both sides want, the app first", () => {
  const prefer = (channels: (typeof noPreferences)["channels"]) => ({ ...noPreferences, channels });
  assert.deepEqual(channelsOf({}), ["inApp"]);
  assert.deepEqual(channelsOf({ channels: ["sms", "inApp"] }), ["inApp", "sms"]);
  assert.deepEqual(channelsOf({ preferences: prefer({ mention: ["inApp", "sms"] }) }), ["inApp", "sms"]);
  assert.deepEqual(channelsOf({ channels: ["inApp", "sms"], preferences: prefer({ "*": ["inApp"] }) }), ["inApp"]);
  assert.deepEqual(channelsOf({ channels: ["sms"], preferences: prefer({ mention: [] }) }), null);
  assert.deepEqual(channelsOf({ kind: "constructor", channels: ["inApp"] }), ["inApp"]);
  assert.equal(planFor(input({ preferences: { ...noPreferences, mutedRooms: ["board-1"] } })), null);
});

test("other channels wait for the app to be looked at, and for the end of quiet hours", () => {
  const at = (changes: Partial<PlanInput>) => planFor(input(changes))?.steps.map(({ atMs }) => atMs);
  assert.deepEqual(at({ channels: ["inApp", "sms"] }), [noon, noon + 600_000]);
  assert.deepEqual(at({ channels: ["sms"] }), [noon]);
  const late = Date.parse("2026-11-21T22:30:00Z");
  const morning = Date.parse("2026-11-22T06:00:00Z");
  const quiet = { ...noPreferences, quietHours: night };
  assert.deepEqual(at({ channels: ["inApp", "sms"], preferences: quiet, nowMs: late, atMs: late }), [late, morning]);
});

test("a digest's second one waits for the end of the first one's time", () => {
  const preferences = { ...noPreferences, digestMinutes: { mention: 5 } };
  assert.equal(planFor(input({ preferences }))?.steps[0]?.atMs, noon);
  assert.equal(planFor(input({ preferences, lastToldMs: noon - 60_000 }))?.steps[0]?.atMs, noon + 4 * 60_000);
  assert.equal(planFor(input({ preferences, lastToldMs: noon - 600_000 }))?.steps[0]?.atMs, noon);
});

const wall = (ms: number, timeZone: string) =>
  new Intl.DateTimeFormat("en-GB", { timeZone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(ms);

test("quiet hours end when the wall clock says so, over midnight and over changes of the clock", () => {
  const zones = ["UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"];
  const clock = fc
    .tuple(fc.nat(23), fc.nat(11))
    .map(([h, m]) => `${String(h).padStart(2, "0")}:${String(m * 5).padStart(2, "0")}`);
  const time = fc.integer({ min: Date.parse("2026-01-01"), max: Date.parse("2027-12-31") });
  fc.assert(
    fc.property(time, fc.constantFrom(...zones), clock, clock, (atMs, timeZone, from, to) => {
      fc.pre(from !== to);
      const quiet = { from, to, timeZone };
      const isQuiet = (ms: number) => {
        const now = wall(ms, timeZone);
        return from < to ? now >= from && now < to : now >= from || now < to;
      };
      const until = quietUntil(atMs, quiet);
      if (!isQuiet(atMs)) return assert.equal(until, atMs);
      assert.ok(until > atMs && until - atMs < 26 * 3_600_000);
      assert.ok(!isQuiet(until), `${wall(until, timeZone)} is still quiet`);
      assert.ok(isQuiet(until - 6 * 60_000) || until - 6 * 60_000 <= atMs, "and not much longer than that");
    }),
    { numRuns: 3_000 },
  );
});

const people = [
  { id: "u1", name: "Ada" },
  { id: "u2", name: "Ada Lovelace" },
  { id: "u3", name: "{{name}}" },
  { id: "u4", name: "Zoë" },
];
const mentions: [text: string, ids: string[]][] = [
  ["hi @Ada", ["u1"]],
  ["hi @ada, look", ["u1"]],
  ["@Ada Lovelace!", ["u2"]],
  ["@Adam is another", []],
  ["mail me: bob@Ada", []],
  ["(@u4) and @zoë", ["u4"]],
  ["@{{name}} stays as it is", ["u3"]],
  ["@", []],
  ["@@Ada", ["u1"]],
  ["@everyone @Ada", ["u1"]],
];
for (const [text, ids] of mentions)
  test(`mentions in ${JSON.stringify(text)}`, () =>
    assert.deepEqual(
      mentioned(text, people).map(({ id }) => id),
      ids,
    ));

test("what people chose becomes one plain line, whatever it holds", () => {
  assert.equal(oneLine("a\r\nb\u0000\u2028c", 20), "a b c");
  assert.equal(oneLine("{{7*7}} #{x} %s {body}", 40), "{{7*7}} #{x} %s {body}");
  assert.equal(oneLine("\u202eevil\u202c", 20), "evil");
  assert.equal(oneLine("😀😀😀", 2), "😀…");
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 400 }), (text) => {
      const line = oneLine(text, 100);
      assert.ok(Array.from(line).length <= 100 && !/[\p{Cc}\u2028\u2029]/u.test(line));
    }),
  );
});
