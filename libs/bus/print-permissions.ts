// `npm run nats-permissions`: what nats-server has to be told of who may say and hear what.
import { natsAuthorization } from "./src/index.ts";

process.stdout.write(natsAuthorization((role) => `$NATS_PASSWORD_${role.toUpperCase()}`));
