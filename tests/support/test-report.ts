import { relative } from "node:path";
import type { run } from "node:test";
import { inspect, styleText } from "node:util";

type TestStream = ReturnType<typeof run>;
type Colour = Parameters<typeof styleText>[0];

/** Shows tests as they end, and sums up. */
export interface TestReport {
  /** Follows one file's run to its end; `note` goes behind the file's name. */
  follow(file: string, stream: TestStream, note?: string): Promise<void>;
  /** Whether a test of this file was skipped. */
  skippedIn(file: string): boolean;
  /** Counts a check that is no test, such as the linter's. */
  count(name: string, passed: boolean): void;
  /** Failures in full, then skips with their reasons. */
  printDetails(): void;
  totals(): { passed: number; failed: number; skipped: number };
}

interface Failure {
  title: string;
  error: unknown;
}

export function createTestReport(rootDir: string): TestReport {
  const failures: Failure[] = [];
  const skips: { title: string; reason: string }[] = [];
  let passed = 0;
  const paint = (colour: Colour, text: string) => styleText(colour, text, { stream: process.stdout });

  const follow = async (file: string, stream: TestStream, note = "") => {
    const name = relative(rootDir, file) + note;
    const parents: string[] = [];
    const running = new Set<string>();
    const before = passed + failures.length + skips.length;
    const seen = () => passed + failures.length + skips.length - before;
    for await (const { type, data } of stream) {
      if (type === "test:dequeue") {
        parents[data.nesting] = data.name;
        if (data.name !== file) running.add(data.name);
      }
      if (type === "test:complete") running.delete(data.name);
      if (type === "test:stdout" || type === "test:stderr") process.stdout.write(paint("gray", data.message));
      if (type !== "test:complete" || (data.details.type as string) === "suite") continue;
      const { passed: isPassed, duration_ms: tookMs } = data.details;
      const error = "error" in data.details ? data.details.error : undefined;
      // The file itself counts as a test too; of interest only when it says what none of its tests does.
      if (data.name === file) {
        if (seen() > 0 && (isPassed || failures.some(({ title }) => title.startsWith(name)))) continue;
        // A file that hangs or crashes is cut short in the midst of its tests.
        const cutShort = running.size > 0 ? `cut short while this ran: ${[...running].join(" › ")}` : null;
        failures.push({ title: name, error: isPassed ? "the file has no test" : (cutShort ?? error) });
        console.log(`${paint("red", "✗")} ${name}`);
        continue;
      }
      const title = `${name} › ${[...parents.slice(0, data.nesting), data.name].join(" › ")}`;
      const took = tookMs > 500 ? paint("gray", ` ${(tookMs / 1000).toFixed(1)} s`) : "";
      const unrun = data.skip ?? data.todo;
      if (unrun !== undefined && unrun !== false) {
        skips.push({ title, reason: typeof unrun === "string" && unrun !== "" ? unrun : "no reason given" });
        console.log(`${paint("yellow", "-")} ${title} (skipped)`);
      } else if (isPassed) {
        passed += 1;
        console.log(`${paint("green", "✓")} ${title}${took}`);
      } else if (failureType(error) !== "subtestsFailed") {
        failures.push({ title, error });
        console.log(`${paint("red", "✗")} ${title}${took}`);
      }
    }
  };

  return {
    follow,
    skippedIn: (file) => skips.some(({ title }) => title.startsWith(file)),
    count(name, isPassed) {
      if (isPassed) passed += 1;
      else failures.push({ title: name, error: "what it found stands above" });
      console.log(isPassed ? `${paint("green", "✓")} ${name}` : `${paint("red", "✗")} ${name}`);
    },
    printDetails() {
      for (const { title, error } of failures) {
        console.log(`\n${paint("red", `✗ ${title}`)}`);
        const shown = typeof error === "string" ? error : inspect(causeOf(error), { depth: 5 });
        console.log(shown.replace(/^/gm, "    "));
      }
      if (skips.length > 0) console.log("\nSkipped:");
      for (const { title, reason } of skips) console.log(`  ${title}: ${reason}`);
    },
    totals: () => ({ passed, failed: failures.length, skipped: skips.length }),
  };
}

/** The runner wraps what a test threw in an error of its own. */
function causeOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? error.cause : error;
}

function failureType(error: unknown): unknown {
  return (error as { failureType?: unknown } | undefined)?.failureType;
}
