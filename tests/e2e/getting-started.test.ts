import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { connect, type Parley } from "@parley/client";
import { rolldown } from "rolldown";
import { startTestStack, type TestStack } from "../support/start-stack.ts";
import { tempDir } from "../support/temp-dir.ts";
import { waitFor } from "../support/wait-for.ts";
import { openBrowser, openPage } from "./open-browser.ts";

const checkout = resolve(import.meta.dirname, "../..");
const guide = readFileSync(join(checkout, "docs/sdk.md"), "utf8");

/** The first block of this language in the guide. */
function example(language: string): string {
  const block = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "m").exec(guide);
  assert.ok(block, `docs/sdk.md has no ${language} example`);
  return block[1]!;
}

describe("docs/sdk.md, with the packages as they are published", () => {
  let stack: TestStack;
  let project: string;
  let grace: Parley;
  const steps: (() => Promise<void> | void)[] = [];
  const teardown = { after: (step: () => Promise<void> | void) => void steps.unshift(step) };
  after(async () => {
    for (const step of steps) await step();
  });

  /** A package as its users get it: what is built, under the manifest that is published. */
  function install(name: "client" | "react") {
    const from = join(checkout, "libs", name);
    const to = join(project, "node_modules/@parley", name);
    execFileSync(process.execPath, [join(from, "build.ts"), join(to, "dist")], { stdio: "inherit" });
    const {
      publishConfig,
      devDependencies: _,
      ...manifest
    } = JSON.parse(readFileSync(join(from, "package.json"), "utf8"));
    writeFileSync(join(to, "package.json"), JSON.stringify({ ...manifest, exports: publishConfig.exports }));
  }

  const here = (code: string) => code.replaceAll("ws://localhost:8080", stack.wsUrl());

  /** Serves a folder's files to a browser, from an origin of its own. */
  async function serve(files: Record<string, { type: string; body: string }>): Promise<string> {
    const server = createServer((request, response) => {
      const file = files[request.url ?? ""];
      response.writeHead(file ? 200 : 404, { "Content-Type": file?.type ?? "text/plain" }).end(file?.body);
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    teardown.after(() => void server.close());
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  before(async () => {
    project = tempDir(teardown);
    mkdirSync(join(project, "node_modules/@parley"), { recursive: true });
    install("client");
    install("react");
    for (const name of ["react", "react-dom", "@types"])
      symlinkSync(join(checkout, "libs/react/node_modules", name), join(project, "node_modules", name));
    stack = await startTestStack(teardown, { chat: 1, gateways: 1, env: { ALLOWED_ORIGINS: "*" } });
    grace = connect({ url: `${stack.wsUrl()}/ws`, guest: { name: "Grace" } });
    teardown.after(() => grace.close());
    await grace.room("lobby").join();
  });

  const said = (text: string) =>
    waitFor(text, () =>
      grace
        .room("lobby")
        .snapshot()
        .messages.some((each) => each.text === text),
    );

  test("the SDK for browsers has at most 12 KB gzipped with everything, and no dependency", () => {
    const code = readFileSync(join(project, "node_modules/@parley/client/dist/index.js"));
    const bytes = gzipSync(code, { level: 9 }).length;
    assert.ok(bytes <= 12 * 1024, `${bytes} bytes`);
    assert.doesNotMatch(String(code), /(?<!["'])\bfrom\s*["']|import\(/);
    assert.doesNotMatch(String(code), /process\.|node:/);
  });

  test("what an application does not use is not in its bundle", async () => {
    const only = join(project, "only.js");
    writeFileSync(only, 'import { ParleyError } from "@parley/client"; console.log(ParleyError.name);');
    const bundle = await rolldown({ input: only, platform: "browser" });
    const { output } = await bundle.generate({ format: "esm", minify: true });
    assert.ok(output[0].code.length < 1_000, `${output[0].code.length} characters`);
  });

  test("the types stand alone", () => {
    writeFileSync(join(project, "example.tsx"), example("tsx"));
    writeFileSync(join(project, "example.mts"), example("js"));
    const options = { target: "ES2024", module: "ESNext", moduleResolution: "bundler", jsx: "react-jsx", strict: true };
    const compilerOptions = { ...options, noEmit: true, types: ["react"], lib: ["ES2024", "DOM"] };
    writeFileSync(
      join(project, "tsconfig.json"),
      JSON.stringify({ compilerOptions, files: ["example.tsx", "example.mts"] }),
    );
    execFileSync(join(checkout, "node_modules/.bin/tsc"), ["-p", project], { stdio: "inherit" });
  });

  test("the Node example greets", async () => {
    const file = join(project, "greeter.mjs");
    writeFileSync(file, here(example("js")));
    const greeter = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    greeter.stdout.on("data", (chunk) => {
      output += chunk;
    });
    try {
      await grace.room("lobby").send("hello");
      await said("Welcome, Grace!");
      await waitFor("its log", () => output.includes("Grace: hello") && output.includes("Greeter: Welcome, Grace!"));
    } finally {
      greeter.kill();
    }
  });

  test("the plain page and the React page talk", async () => {
    const browser = await openBrowser(teardown);
    const react = join(project, "app.tsx");
    writeFileSync(react, here(example("tsx")));
    const bundle = await rolldown({
      input: react,
      platform: "browser",
      transform: { define: { "process.env.NODE_ENV": '"production"' } },
    });
    const { output } = await bundle.generate({ format: "esm" });
    const script = readFileSync(join(project, "node_modules/@parley/client/dist/index.js"), "utf8");
    const origin = await serve({
      "/": { type: "text/html", body: here(example("html")) },
      "/parley.js": { type: "text/javascript", body: script },
      "/react": {
        type: "text/html",
        body: '<!doctype html><div id="root"></div><script type="module" src="/app.js"></script>',
      },
      "/app.js": { type: "text/javascript", body: output[0].code },
    });
    const plain = await openPage(browser, `${origin}/`);
    await plain.fill("#text", "from the plain page");
    await plain.keyboard.press("Enter");
    await said("from the plain page");
    await plain.getByText("Ada: from the plain page").waitFor();
    const page = await openPage(browser, `${origin}/react`);
    await page.getByText("Ada: from the plain page").waitFor();
    await page.getByText("online").waitFor();
    await page.fill("input", "from React");
    await page.keyboard.press("Enter");
    await said("from React");
    await plain.getByText("Ada: from React").waitFor();
  });
});
