import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { test } from "node:test";
import { readOptions, readTarget, UsageError } from "../src/options.ts";

const main = resolve(import.meta.dirname, "../src/main.ts");

test("only this machine is loaded: any other target is refused before anything is opened", () => {
  for (const host of [
    "10.0.0.1",
    "192.168.1.5:8080",
    "example.com:8080",
    "127.example.com:80",
    "[::2]:80",
    "0.0.0.0:80",
  ])
    assert.throws(() => readTarget(`ws://${host}`), { message: /is not this machine/ }, host);
  assert.throws(() => readTarget("ws://localhost.example.com:8080"), UsageError);
  assert.throws(() => readTarget("ws://127.0.0.1@example.com:8080"), /example\.com is not this machine/);
  assert.deepEqual(readTarget("ws://127.0.0.1:8080"), { host: "127.0.0.1", port: 8080 });
  assert.deepEqual(readTarget("ws://localhost:8081/ws"), { host: "127.0.0.1", port: 8081 });
  assert.deepEqual(readTarget("ws://[::1]:9"), { host: "::1", port: 9 });
  // A URL's own shorthands for loopback are loopback.
  assert.deepEqual(readTarget("ws://127.1:9"), { host: "127.0.0.1", port: 9 });
  assert.throws(() => readTarget("http://127.0.0.1:8080"), /ws:\/\/HOST:PORT/);
  assert.throws(() => readTarget("127.0.0.1:8080"), /--target/);

  const run = spawnSync(process.execPath, [main, "send", "--target", "ws://10.1.2.3:8080"], { encoding: "utf8" });
  assert.equal(run.status, 2);
  assert.match(run.stderr, /load: --target: 10\.1\.2\.3 is not this machine/);
  assert.doesNotMatch(run.stderr, /^\s+at /m);
});

test("--help names every scenario and option", () => {
  const { status, stdout } = spawnSync(process.execPath, [main, "--help"], { encoding: "utf8" });
  assert.equal(status, 0);
  for (const word of [
    "fanout",
    "send",
    "idle",
    "all",
    "--target",
    "--pids",
    "--pin-server",
    "--no-bare",
    "--json FILE",
  ])
    assert.ok(stdout.includes(word), word);
  assert.ok(stdout.split("\n").every((line) => line.length <= 120));
});

test("what can't be meant is refused with a word on what to write", () => {
  const refused = (args: string, message: RegExp): void =>
    assert.throws(() => readOptions(args.split(" ").filter(Boolean)), { constructor: UsageError, message });
  refused("", /say one scenario: fanout, send, idle, all/);
  refused("fanin", /say one scenario/);
  refused("send --window 0", /--window: "0" must be a whole number from 1/);
  refused("send --conns 1.5", /--conns: "1\.5" must be a whole number/);
  refused("fanout --size 3", /--size: "3" must be a whole number from 26/);
  refused("fanout --sise 3", /--sise/);
  refused("send --own --target ws://127.0.0.1:1", /leave --target and --pids out/);
  refused("send --pids 1", /give that too/);
  refused("send --target ws://127.0.0.1:1 --pids chat=x", /SERVICE=PID/);
});

test("defaults: bare beside fanout and send, not beside idle; a pinned generator spins", () => {
  const read = (args: string) => {
    const options = readOptions(args.split(" "));
    assert.ok(options !== "help");
    return options;
  };
  assert.equal(read("fanout").bare, true);
  assert.equal(read("send --no-bare").bare, false);
  assert.equal(read("idle").bare, false);
  assert.equal(read("idle --bare").bare, true);
  assert.equal(read("send --pin-client 1").spin, true);
  assert.equal(read("send").spin, false);
  assert.deepEqual(read("send --target ws://127.0.0.1:1 --pids chat=12,34").processes, [
    { service: "chat", pid: 12 },
    { service: "server", pid: 34 },
  ]);
});
