/** Figures as people and programs read them. */
import type { FanoutFigures } from "./fanout.ts";
import type { Histogram } from "./histogram.ts";
import type { IdleFigures } from "./idle.ts";
import type { Both, Outcome } from "./plan.ts";
import { type CpuByService, totalCpu } from "./processes.ts";
import type { SendFigures } from "./send.ts";

/** A figure of both sides; null where it can't be had. The bare one is missing where bare was not run. */
export interface Row {
  name: string;
  ours: number | null;
  bare: number | null;
  /** ours ÷ bare, of figures by server CPU. */
  ratio: number | null;
}

export interface ScenarioReport {
  title: string;
  rows: Row[];
  /** Further lines: where the CPU time went. */
  notes: string[];
  /** Promises broken, on our side: any of these makes the run fail. */
  failures: string[];
}

const inMs = (micros: number): number => micros / 1000;
const cpuOf = (cpu: CpuByService | null): number | null => (cpu === null ? null : totalCpu(cpu));
const share = (amount: number, of: number | null): number | null => (of === null || of === 0 ? null : amount / of);

function pair<Figures>(
  name: string,
  sides: Both<Figures>,
  read: (figures: Figures) => number | null,
  byCpu = false,
): Row {
  const ours = read(sides.ours);
  const bare = sides.bare === null ? null : read(sides.bare);
  return { name, ours, bare, ratio: byCpu && ours !== null && bare !== null ? share(ours, bare) : null };
}

const latencyRows = <Figures extends { latency: Histogram }>(sides: Both<Figures>): Row[] => [
  pair("latency p50, ms", sides, ({ latency }) => inMs(latency.quantile(0.5))),
  pair("latency p99, ms", sides, ({ latency }) => inMs(latency.quantile(0.99))),
  pair("latency max, ms", sides, ({ latency }) => inMs(latency.maxMicros)),
];

function cpuNote(side: string, figures: FanoutFigures | SendFigures): string {
  const { serverCpu, measuredSecs, clientCpuSecs, otherCpuSecs } = figures;
  const cores = (secs: number): string => `${(secs / measuredSecs).toFixed(2)} cores`;
  const generator = `generator ${cores(clientCpuSecs)}`;
  if (serverCpu === null) return `${side}: server CPU is not available; ${generator}`;
  const services = Object.entries(serverCpu).map(([service, secs]) => `${service} ${secs.toFixed(2)} s`);
  const used = `${services.join(", ")} (${cores(totalCpu(serverCpu))})`;
  const others = otherCpuSecs === null ? "" : `; everything else ${cores(otherCpuSecs)}`;
  return `${side}: server CPU in ${measuredSecs.toFixed(1)} s: ${used}; ${generator}${others}`;
}

/** Above this many cores, whatever else runs on the machine takes the servers' and the generator's time. */
const quietCores = 0.2;

function notesOf({ ours, bare }: Both<FanoutFigures> | Both<SendFigures>): string[] {
  const notes = [cpuNote("ours", ours)];
  if (bare !== null) notes.push(cpuNote("bare", bare));
  const disturbed = [ours, bare].some((it) => it !== null && (it.otherCpuSecs ?? 0) > quietCores * it.measuredSecs);
  if (disturbed) notes.push("other programs were busy on this machine: compare no figure of this run with another's");
  return notes;
}

function refusals(refused: Record<string, number>): string[] {
  return Object.entries(refused).map(([code, count]) => {
    const hint = code === "rate_limited" ? " (start the server with npm start -- --load-test)" : "";
    return `${count} sends refused: ${code}${hint}`;
  });
}

function failuresOf(counts: Record<string, number>, figures: FanoutFigures | SendFigures | IdleFigures): string[] {
  const failures = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${count} ${what}`);
  if (figures.disconnects > 0) failures.push(`${figures.disconnects} disconnects (last: ${figures.lastDisconnect})`);
  return failures;
}

const lateMs = 5;

export function reportOf(outcome: Outcome): ScenarioReport {
  switch (outcome.scenario) {
    case "fanout": {
      const { settings, ours, bare } = outcome;
      const { rooms, members, publishers, ratePerSecond, textBytes } = settings;
      const offered = rooms * members * publishers * ratePerSecond;
      const sides = [ours, ...(bare === null ? [] : [bare])];
      const late = sides.some(({ lateness }) => inMs(lateness.quantile(0.99)) > lateMs);
      return {
        title:
          `fanout: ${rooms} room(s) × ${members} listeners, ${publishers} publisher(s) a room ` +
          `at ${ratePerSecond} msg/s, texts of ${textBytes} bytes; ${number(offered)} deliveries/s offered`,
        rows: [
          pair("deliveries/s", outcome, ({ delivered, measuredSecs }) => delivered / measuredSecs),
          pair("deliveries per CPU-second", outcome, (it) => share(it.delivered, cpuOf(it.serverCpu)), true),
          ...latencyRows(outcome),
          pair("lost", outcome, ({ lost }) => lost),
          pair("repeated", outcome, ({ repeated }) => repeated),
          pair("out of order", outcome, ({ outOfOrder, seqBreaks }) => Math.max(outOfOrder, seqBreaks)),
        ],
        notes: [
          ...notesOf(outcome),
          ...(late ? [`the generator itself sent more than ${lateMs} ms late: latencies hold that too`] : []),
        ],
        failures: [
          ...failuresOf(
            {
              "deliveries lost, though acknowledged": ours.lost,
              "deliveries repeated": ours.repeated,
              "deliveries out of order": ours.outOfOrder,
              "deliveries whose seq did not follow the one before": ours.seqBreaks,
              "sends without a reply when the drain time ended": ours.unanswered,
            },
            ours,
          ),
          ...refusals(ours.refused),
        ],
      };
    }
    case "send": {
      const { settings, ours } = outcome;
      const { conns, window, rooms, textBytes } = settings;
      const microsEach = ({ acked, serverCpu }: SendFigures): number | null =>
        serverCpu === null ? null : share(1e6 * totalCpu(serverCpu), acked);
      return {
        title: `send: ${conns} connections × ${window} unanswered, ${rooms} room(s), texts of ${textBytes} bytes`,
        rows: [
          pair("acknowledged/s", outcome, ({ acked, measuredSecs }) => acked / measuredSecs),
          pair("sends per CPU-second", outcome, (it) => share(it.acked, cpuOf(it.serverCpu)), true),
          pair("µs of server CPU per send", outcome, microsEach),
          ...latencyRows(outcome),
        ],
        notes: notesOf(outcome),
        failures: [
          ...failuresOf(
            {
              "sends without a reply when the drain time ended": ours.unanswered,
              "replies repeated": ours.repeated,
              "seqs skipped or given twice": ours.seqBreaks,
            },
            ours,
          ),
          ...refusals(ours.refused),
        ],
      };
    }
    case "idle": {
      const { settings, ours } = outcome;
      const kibibytes = (service: string) => (figures: IdleFigures) => {
        const bytes = figures.bytesPerConnection?.[service];
        return bytes === undefined ? null : bytes / 1024;
      };
      const all = (figures: IdleFigures): number | null =>
        figures.bytesPerConnection === null ? null : totalCpu(figures.bytesPerConnection) / 1024;
      return {
        title: `idle: ${settings.conns} connections in ${settings.rooms} room(s)`,
        rows: [
          pair("connections/s", outcome, ({ conns, connectSecs }) => conns / connectSecs),
          ...Object.keys(ours.bytesPerConnection ?? {}).map((service) =>
            pair(`KiB of ${service} per connection`, outcome, kibibytes(service)),
          ),
          pair("KiB of all servers per connection", outcome, all),
        ],
        notes: ours.bytesPerConnection === null ? ["server memory is not available"] : [],
        failures: failuresOf({}, ours),
      };
    }
  }
}

/** Thousands grouped; three significant digits below a hundred. */
export function number(value: number): string {
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en-US") : String(Number(value.toPrecision(3)));
}

const cell = (value: number | null): string => (value === null ? "–" : number(value));

/** The figures of one scenario as lines of text. */
export function formatReport({ title, rows, notes, failures }: ScenarioReport): string {
  const withBare = rows.some(({ bare }) => bare !== null);
  const table = rows.map(({ name, ours, bare, ratio }) => {
    if (!withBare) return `${name}: ${cell(ours)}`;
    return `${name}: ours ${cell(ours)}, bare ${cell(bare)}${ratio === null ? "" : `, ratio ${ratio.toFixed(2)}`}`;
  });
  const lines = [...table, ...notes, ...failures.map((failure) => `FAILED: ${failure}`)];
  return [title, ...lines.map((line) => `  ${line}`)].join("\n");
}
