import assert from "node:assert/strict";
import test from "node:test";
import { FlagError, helpText, parseFlags } from "../src/flags.ts";
import { services } from "../src/services.ts";

test("no flags: the table's numbers, nothing else", () => {
  assert.deepEqual(parseFlags([], services), {
    help: false,
    fresh: false,
    loadTest: false,
    publicPort: undefined,
    store: "sqlite",
    instances: {},
  });
});

test("every flag is understood", () => {
  const args = ["--gateways", "3", "--chat=1", "--fresh", "--load-test", "--port", "9000", "--store", "mongodb"];
  const flags = parseFlags(args, services);
  assert.deepEqual(flags, {
    help: false,
    fresh: true,
    loadTest: true,
    publicPort: 9000,
    store: "mongodb",
    instances: { gateway: 3, chat: 1 },
  });
});

for (const [args, expected] of [
  [["--gatways", "3"], /Unknown option '--gatways'/],
  [["fresh"], /Unexpected argument 'fresh'/],
  [["--port", "http"], /--port takes a whole number from 1 to 65535, not "http"/],
  [["--port", "65536"], /--port takes a whole number from 1 to 65535/],
  [["--store", "postgres"], /--store takes sqlite or mongodb, not "postgres"/],
  [["--gateways", "0"], /--gateways takes a whole number from 1 to 64, not "0"/],
  [["--gateways"], /--gateways.*argument missing/],
  [["--fresh=yes"], /--fresh.*does not take an argument/],
] as const) {
  test(`a wrong flag gets a clear word: ${args.join(" ")}`, () => {
    assert.throws(
      () => parseFlags([...args], services),
      (error) => error instanceof FlagError && expected.test(error.message),
    );
  });
}

test("the help names every flag", () => {
  const help = helpText(services);
  for (const flag of ["--gateways", "--chat", "--port", "--store", "--fresh", "--load-test", "--help"])
    assert.ok(help.includes(flag));
});
