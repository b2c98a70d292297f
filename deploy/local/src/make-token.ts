import { parseArgs } from "node:util";
import { SignJWT } from "jose";
import { FlagError } from "./flags.ts";

export const tokenHelp = `npm run token -- --user ada [flags]     prints a user's token for this machine's Parley

  --user ID        whose token it is
  --name NAME      what others see (the id)
  --rooms LIST     patterns of the rooms it is good for, with commas between them: 'board-*,lobby' (all rooms)
  --roles LIST     member, moderator, agent or admin (none)
  --rights LIST    join, send, moderate, emit:users, emit:all, timer, tickets (join, send and timer, unless roles are named)
  --issuer URL     what iss says, where TOKEN_ISSUER is set
  --for TIME       how long it is good: 30s, 15m, 12h, 7d (12h)
  --service NAME   instead of a user's: a token for the internal API of gateway, chat, presence …
  --help           this text`;

const secondsIn: { [unit: string]: number } = { s: 1, m: 60, h: 3_600, d: 86_400 };

/**
 * A token signed by HS256 with `secret`, a user's or (with --service) one for an internal API; null where help is asked for.
 * Throws FlagError.
 */
export async function makeToken(args: string[], secret: string, nowMs = Date.now()): Promise<string | null> {
  const values = parse(args);
  if (values.help) return null;
  const { user, service } = values;
  if (service === undefined && !user) throw new FlagError("--user is needed: whose token is it?");
  const [, amount, unit = ""] = /^(\d+)([smhd])$/.exec(values.for) ?? [];
  if (amount === undefined) throw new FlagError(`--for takes a time such as 15m or 12h, not "${values.for}"`);
  const claims = Object.fromEntries(
    (["rooms", "roles", "rights"] as const).flatMap((name) => {
      const list = values[name];
      return list === undefined ? [] : [[name, list.split(",").flatMap((item) => item.trim() || [])]];
    }),
  );
  const now = Math.floor(nowMs / 1000);
  return new SignJWT({
    ...claims,
    ...(values.issuer === undefined ? {} : { iss: values.issuer }),
    ...(values.name === undefined ? {} : { name: values.name }),
  })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(user ?? "operator")
    .setAudience(service === undefined ? "parley" : `parley-${service}`)
    .setIssuedAt(now)
    .setExpirationTime(now + Number(amount) * (secondsIn[unit] ?? 0))
    .sign(new TextEncoder().encode(secret));
}

function parse(args: string[]) {
  const text = { type: "string" } as const;
  try {
    return parseArgs({
      args,
      options: {
        ...{ issuer: text, service: text, user: text, name: text, rooms: text, roles: text, rights: text },
        for: { type: "string", default: "12h" },
        help: { type: "boolean", short: "h" },
      },
      strict: true,
      allowPositionals: false,
    }).values;
  } catch (error) {
    throw new FlagError((error as Error).message.split(/\. |\n/)[0]?.replace(/\.$/, ""));
  }
}
