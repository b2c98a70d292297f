import assert from "node:assert/strict";
import test from "node:test";
import { createProcessLog } from "../src/process-log.ts";

function logged(colours: boolean, ...lines: string[]): string {
  let text = "";
  const log = createProcessLog({ write: (part) => (text += part), colours }, 9);
  for (const line of lines) log.processLine("gateway 1", line);
  return text;
}

test("a JSON line becomes a short one: time, level, message, fields", () => {
  const entry = {
    level: 40,
    time: new Date(2026, 0, 1, 9, 8, 7).getTime(),
    pid: 7,
    msg: "slow client dropped",
    waitingBytes: 9,
  };
  assert.equal(logged(false, JSON.stringify(entry)), "gateway 1 │ 09:08:07 warn  slow client dropped waitingBytes=9\n");
});

test("an error's stack keeps the prefix on every line", () => {
  const entry = { level: 50, time: 0, msg: "failed", err: { message: "no", stack: "Error: no\n    at here" } };
  const lines = logged(false, JSON.stringify(entry)).trimEnd().split("\n");
  assert.equal(lines.length, 3);
  for (const line of lines) assert.ok(line.startsWith("gateway 1 │ "));
});

test("what is not JSON is shown as it is, and empty lines are not", () => {
  assert.equal(
    logged(false, "plain words", "{ not json", "", '{"a":1}'),
    ["gateway 1 │ plain words\n", "gateway 1 │ { not json\n", 'gateway 1 │ {"a":1}\n'].join(""),
  );
});

test("colours only where they are wanted", () => {
  const entry = JSON.stringify({ level: 30, time: 0, msg: "hello" });
  assert.ok(!logged(false, entry).includes("\u001b["));
  assert.ok(logged(true, entry).includes("\u001b["));
});
