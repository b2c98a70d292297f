import { natsAuthorization } from "@parley/bus";

/** The users of NATS and what each may, as `nats.conf` includes it; passwords come from the server's environment. */
export const natsUsers = (): string =>
  `# Written by \`npm run manifests\` from libs/bus/src/permissions.ts; change it there.\n${natsAuthorization(
    (role) => `$NATS_PASSWORD_${role.toUpperCase()}`,
  )}`;
