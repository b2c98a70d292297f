// `npm run copy-store -- --from sqlite:/… --to mongodb://…`
import { isAbsolute } from "node:path";
import { parseArgs } from "node:util";
import { CopyError, type CopyProgress, copyStore } from "./src/copy/copy-store.ts";
import { StoreUnavailable } from "./src/index.ts";

const help = `npm run copy-store -- --from sqlite:/path/parley.db --to mongodb://host/database [--again]

Copies everything that a SQLite store holds to an empty MongoDB database, and compares both in the end. Stop Parley first.
Stopped at any point, it goes on where it was when it is run again.

  --from URL   the store to read: sqlite:/absolute/path
  --to URL     the database to write: mongodb://… or mongodb+srv://…
  --again      copies into what a finished copy left
  --help       this text`;

const barWidth = 30;
const stages = { tables: "records", logs: "entries", checking: "entries compared" } as const;

/** One line that grows on a terminal; elsewhere a line for each tenth. */
function progressBar(stream: NodeJS.WriteStream): (progress: CopyProgress) => void {
  let shown = "";
  return ({ stage, done, total }) => {
    const share = total === 0 ? 1 : done / total;
    const step = `${stage} ${Math.floor(share * (stream.isTTY ? 1_000 : 10))}`;
    if (step === shown) return;
    shown = step;
    const filled = Math.round(share * barWidth);
    const bar = "█".repeat(filled) + "░".repeat(barWidth - filled);
    const text = `${bar} ${String(Math.floor(share * 100)).padStart(3)} %  ${done} of ${total} ${stages[stage]}`;
    stream.write(stream.isTTY ? `\r\u001b[K${text}${share === 1 ? "\n" : ""}` : `${text}\n`);
  };
}

function parse(args: string[]): { from: string; to: string; again: boolean } | null {
  const options = {
    from: { type: "string" },
    to: { type: "string" },
    again: { type: "boolean" },
    help: { type: "boolean" },
  } as const;
  let values: { from?: string; to?: string; again?: boolean; help?: boolean };
  try {
    values = parseArgs({ args, options, strict: true }).values;
  } catch (error) {
    throw new CopyError(`${(error as Error).message.split(". ")[0]}; --help lists the flags`);
  }
  if (values.help) return null;
  const { from, to, again = false } = values;
  const path = from?.startsWith("sqlite:") ? from.slice("sqlite:".length) : "";
  if (!isAbsolute(path))
    throw new CopyError(`--from takes sqlite:/absolute/path, not "${from ?? ""}"; --help says more`);
  if (!/^mongodb(\+srv)?:\/\/[^/]/.test(to ?? "")) {
    throw new CopyError("--to takes mongodb://host/database; --help says more");
  }
  return { from: path, to: to!, again };
}

try {
  const asked = parse(process.argv.slice(2));
  if (asked === null) console.log(help);
  else {
    const result = await copyStore({ ...asked, progress: progressBar(process.stderr) });
    for (const [name, count] of Object.entries(result.documents)) console.log(`${String(count).padStart(9)} ${name}`);
    console.log(
      `${String(result.entries).padStart(9)} entries in ${result.rooms} rooms, ${result.written} written by this run`,
    );
    console.log("Both sides have the same records and, by a checksum of each room, the same entries.");
  }
} catch (error) {
  if (!(error instanceof CopyError || error instanceof StoreUnavailable)) throw error;
  console.error(`copy-store: ${error.message}`);
  process.exitCode = 1;
}
