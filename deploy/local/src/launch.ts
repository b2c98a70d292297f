// What `npm start` runs, once the bootstrap has seen to Node and the dependencies.
import { join, resolve } from "node:path";
import { runLauncher } from "./run-launcher.ts";
import { services } from "./services.ts";

const checkoutDir = resolve(import.meta.dirname, "../../..");
const stateDir = join(checkoutDir, ".parley");
process.exitCode = await runLauncher({ checkoutDir, stateDir, services, args: process.argv.slice(2) });
