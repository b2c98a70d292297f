// What `npm run token` runs: a token as the application around Parley would issue it, for trying things out.
import { join, resolve } from "node:path";
import { makeToken, tokenHelp } from "./make-token.ts";
import { readOrMakeSecret } from "./secret.ts";
import { statePaths } from "./state-dir.ts";

const stateDir = join(resolve(import.meta.dirname, "../../.."), ".parley");
try {
  const args = process.argv.slice(2);
  const forService = args.some((arg) => arg.startsWith("--service"));
  const { tokenSecret, serviceToken } = statePaths(stateDir);
  const set = forService ? process.env.INTERNAL_TOKEN : process.env.TOKEN_SECRET;
  const secret = set?.split(",")[0] || readOrMakeSecret(forService ? serviceToken : tokenSecret);
  console.log((await makeToken(args, secret)) ?? tokenHelp);
} catch (error) {
  console.error(`parley: ${error instanceof Error ? error.message : String(error)}\n\n${tokenHelp}`);
  process.exitCode = 1;
}
