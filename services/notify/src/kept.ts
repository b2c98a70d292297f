/** What is kept of a person here, told a page at a time to the service that hands all of it out. */
import { type Bus, type KeptPage, type KeptRequest, subjects } from "@parley/bus";
import type { NotificationRecord, SmsRecord, Store } from "@parley/store";
import { answerRequests } from "./answer-requests.ts";
import { phonesOf } from "./forget.ts";

type Notices = Pick<Store, "notifications" | "sms">;

const pageRecords = 50;
/** A page is one message of NATS, whose limit is 1 MiB. */
const pageBytes = 256 * 1024;

const notificationLine = ({ plan, version, dueAtMs, ...notification }: NotificationRecord): object => ({
  notification,
});
const smsLine = ({ digest, version, dueAtMs, ...sms }: SmsRecord): object => ({ sms });

/** `next` is how many parts are done, and the last id of the present one: notifications first, then the SMS of each number. */
async function keptOf({ notifications, sms }: Notices, request: KeptRequest): Promise<KeptPage> {
  const phones = await phonesOf({ notifications }, request);
  const [, done = "0", last = ""] = /^(\d+):(.*)$/s.exec(request.next ?? "") ?? [];
  const part = Number(done);
  const options = { after: last === "" ? null : last, limit: pageRecords };
  const phone = part === 0 ? null : (phones[part - 1] ?? null);
  if (part > 0 && phone === null) return { lines: [], next: null };

  const lines: object[] = [];
  if (last === "") {
    const preferences = phone === null ? await notifications.preferences(request.user) : null;
    if (preferences) lines.push({ preferences: { phone: preferences.phone, ...JSON.parse(preferences.body) } });
    if (phone !== null && (await sms.isOptedOut(phone))) lines.push({ smsOptOut: phone });
  }
  const found: { id: string; line: object }[] =
    phone === null
      ? (await notifications.allOf(request.user, options)).map((each) => ({
          id: each.id,
          line: notificationLine(each),
        }))
      : (await sms.listTo(phone, options)).map((each) => ({ id: each.id, line: smsLine(each) }));
  let bytes = 0;
  for (const { id, line } of found) {
    lines.push(line);
    bytes += Buffer.byteLength(JSON.stringify(line));
    if (bytes > pageBytes) return { lines, next: `${part}:${id}` };
  }
  if (found.length === pageRecords) return { lines, next: `${part}:${found.at(-1)?.id}` };
  return { lines, next: part < phones.length ? `${part + 1}:` : null };
}

export function serveKept(options: { bus: Bus; notices: Notices; onError: (error: unknown) => void }): {
  close(): void;
} {
  const { bus, notices, onError } = options;
  const answer = (request: KeptRequest) => keptOf(notices, request);
  return answerRequests({ bus, subject: subjects.kept(), answer, failed: {}, onError });
}
