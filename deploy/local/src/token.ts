// What `npm run token` runs: a token as the application around Parley would issue it, for trying things out.
import { join, resolve } from "node:path";
import { makeToken, tokenHelp } from "./make-token.ts";
import { readOrMakeSecret } from "./secret.ts";
import { statePaths } from "./state-dir.ts";

const stateDir = join(resolve(import.meta.dirname, "../../.."), ".parley");
try {
  const secret = process.env.TOKEN_SECRET?.split(",")[0] || readOrMakeSecret(statePaths(stateDir).tokenSecret);
  console.log((await makeToken(process.argv.slice(2), secret)) ?? tokenHelp);
} catch (error) {
  console.error(`parley: ${error instanceof Error ? error.message : String(error)}\n\n${tokenHelp}`);
  process.exitCode = 1;
}
