export { aptInstall } from "./apt-install.ts";
export { type FoundEngine, versionOf } from "./engine.ts";
export { findOnPath } from "./find-on-path.ts";
export { makeToken } from "./make-token.ts";
export { nats } from "./nats.ts";
export { type ProcessRow, readProcessesFile } from "./processes-file.ts";
export { redis } from "./redis.ts";
export { type ServiceDefinition, services } from "./services.ts";
export { type Stack, type StackOptions, startStack } from "./stack.ts";
