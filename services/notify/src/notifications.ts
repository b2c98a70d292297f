/** Notifications: taken in, told step by step, listed, read. */
import { type Bus, emitUser, subjects } from "@parley/bus";
import { newId } from "@parley/jobs";
import {
  type NotificationChannel,
  type NotificationNews,
  noPreferences,
  type Preferences,
  Refusal,
  Unavailable,
} from "@parley/protocol";
import type { NotificationChanges, NotificationRecord, Store } from "@parley/store";
import type { AcceptSms } from "./accept-sms.ts";
import { foldDigest } from "./digest.ts";
import { notificationView } from "./notification-view.ts";
import { oneLine } from "./one-line.ts";
import { type Plan, planFor, type Step, stepRetryMs } from "./plan.ts";
import type { SendWebhook } from "./send-webhook.ts";

export interface NewNotification {
  user: string;
  kind: string;
  title: string;
  body: string;
  /** JSON text, or null. */
  data: string | null;
  channels: NotificationChannel[] | null;
  /** The same key for the same user is the same notification. */
  dedupeKey: string | null;
  /** Tells a repeat under this key from another call under it, which is refused as a conflict; null: all are repeats. */
  fingerprint: string | null;
  /** Not before; null: now. */
  atMs: number | null;
  room: string | null;
  unlessRead: Plan["unlessRead"] | null;
}

export interface NotificationsOptions {
  bus: Bus;
  notices: Pick<Store, "notifications" | "sms">;
  store: Pick<Store, "rooms" | "users">;
  acceptSms: AcceptSms;
  sendWebhook: SendWebhook | null;
  unseenMs: number;
  /** Longest SMS made of a notification, in characters. */
  smsChars: number;
  /** Tells the queue of a record; never waits. */
  nudge: (id: string) => void;
}

export interface Notifications {
  /** Records it; null where the recipient wants to hear nothing of it. A repeat answers the first (`created:false`). */
  accept(asked: NewNotification): Promise<{ record: NotificationRecord; created: boolean } | null>;
  /** Cancels one that was not told yet. */
  cancel(id: string): Promise<boolean>;
  /** Takes a record a step on; answers when to look again, or null. */
  step(id: string): Promise<number | null>;
  list(user: string, before: string | null, unreadOnly: boolean): Promise<object>;
  read(user: string, id: string | null, session: string | null): Promise<{ unread: number }>;
  preferencesOf(user: string): Promise<Preferences>;
  /** Changes what is named, and answers the whole. */
  prefer(user: string, changes: Partial<Preferences>): Promise<Preferences>;
}

const pageSize = 50;
const stepTries = 6;

/** What became of a step outside the app: done, to be tried again, or in vain. */
type Performed = "done" | "again" | "failed";

export function createNotifications(options: NotificationsOptions): Notifications {
  const { bus, store, acceptSms, nudge } = options;
  const { notifications } = options.notices;

  const preferencesOf = async (user: string): Promise<Preferences> => {
    const record = await notifications.preferences(user);
    const kept = record ? (JSON.parse(record.body) as Partial<Preferences>) : {};
    return { ...noPreferences, ...kept, phone: record?.phone ?? null };
  };

  const accept: Notifications["accept"] = async (asked) => {
    const nowMs = Date.now();
    const { user, kind, fingerprint } = asked;
    const repeatOf = (record: NotificationRecord) => {
      if (fingerprint !== null && (JSON.parse(record.plan) as Plan).fingerprint !== fingerprint)
        throw new Refusal(
          "conflict",
          "This Idempotency-Key was used for another notification: use a new key for a new one",
        );
      return { record, created: false };
    };
    const known = asked.dedupeKey === null ? null : await notifications.findByKey(user, asked.dedupeKey);
    if (known) return repeatOf(known);
    const preferences = await preferencesOf(user);
    const hasDigest = Object.keys(preferences.digestMinutes).length > 0;
    const [last] = hasDigest ? await notifications.ofKind(user, kind, "sent", 1) : [];
    const plan = planFor({
      ...{ kind, room: asked.room, channels: asked.channels, preferences, nowMs },
      ...{ atMs: asked.atMs ?? nowMs, lastToldMs: last?.sentAtMs ?? null },
      ...{ unlessRead: asked.unlessRead, unseenMs: options.unseenMs },
    });
    if (plan === null) return null;
    const id = newId(nowMs);
    const stored = await notifications.create({
      ...{ id, user, kind, title: asked.title, body: asked.body, data: asked.data },
      dedupeKey: asked.dedupeKey ?? `id:${id}`,
      status: "waiting",
      plan: JSON.stringify({ ...plan, ...(fingerprint === null ? {} : { fingerprint }) }),
      count: 1,
      position: null,
      readAtMs: null,
      createdAtMs: nowMs,
      sentAtMs: null,
      dueAtMs: plan.steps[0]?.atMs ?? null,
      version: 1,
    });
    if (!stored.created) return repeatOf(stored.record);
    nudge(id);
    return stored;
  };

  /** An event for the user's sessions. Without presence every gateway is told, and finds out who is there. */
  const tell = async (user: string, data: NotificationNews, exceptSession: string | null = null) => {
    if (exceptSession === null) {
      try {
        await emitUser(bus, [user], { event: "notification", data, ofProtocol: true });
        return;
      } catch (error) {
        // No such user, or none that may be told: it is in the list all the same.
        if (error instanceof Refusal) return;
        if (!(error instanceof Unavailable)) throw error;
      }
    }
    const frame = JSON.stringify({ eventType: "ServerEvent", event: "notification", data });
    const except = exceptSession === null ? {} : { exceptSession };
    bus.publish(subjects.gateways(), JSON.stringify({ order: "users", users: [user], frame, ...except }));
  };

  const isRead = async ({ user }: NotificationRecord, { key, seq }: NonNullable<Plan["unlessRead"]>) => {
    const member = await store.rooms.member(key, user);
    // Who left the room has no more to do with it.
    return member === null || !member.member || member.lastRead >= seq;
  };

  /** Puts it into the list, and tells the sessions that are there. */
  const showInApp = async (record: NotificationRecord, plan: Plan): Promise<NotificationRecord | null> => {
    const nowMs = Date.now();
    const folded = plan.digest ? await foldDigest(notifications, record, nowMs) : record;
    if (folded === null) return null;
    const own = JSON.parse(folded.plan) as Plan;
    const steps = own.steps.slice(1);
    const shown = await notifications.change(folded.id, folded.version, {
      status: "sent",
      position: newId(nowMs),
      sentAtMs: nowMs,
      plan: JSON.stringify({ ...own, steps }),
      dueAtMs: steps[0]?.atMs ?? null,
    });
    if (shown)
      await tell(shown.user, { notification: notificationView(shown), unread: await notifications.unread(shown.user) });
    return shown;
  };

  /** Answers whether there is a number to send it to. */
  const sendSms = async (record: NotificationRecord): Promise<boolean> => {
    const [preferences, [user]] = await Promise.all([preferencesOf(record.user), store.users.find([record.user])]);
    const to = preferences.phone ?? user?.phone ?? null;
    if (to === null) return false;
    const text = oneLine(record.body === "" ? record.title : `${record.title}: ${record.body}`, options.smsChars);
    await acceptSms({ to, text, kind: "transactional" }, `notification:${record.id}`);
    return true;
  };

  const perform = async (record: NotificationRecord, { channel, tries = 0 }: Step): Promise<Performed> => {
    try {
      if (channel === "sms") return (await sendSms(record)) ? "done" : "failed";
      if (!options.sendWebhook) return "failed";
      await options.sendWebhook(record);
      return "done";
    } catch (error) {
      // The number was changed since an earlier try, which got through.
      if (error instanceof Refusal && error.code === "conflict") return "done";
      // What a number or a setting forbids stays forbidden; all else may pass.
      if (error instanceof Refusal) return "failed";
      if (error instanceof Unavailable) throw error;
      return tries + 1 < stepTries ? "again" : "failed";
    }
  };

  /** Writes down what became of a step outside the app. */
  const finishStep = (record: NotificationRecord, plan: Plan, performed: Performed) => {
    const [step, ...rest] = plan.steps as [Step, ...Step[]];
    const tries = (step.tries ?? 0) + 1;
    const again = { ...step, tries, atMs: Date.now() + stepRetryMs(tries, Math.random()) };
    const steps = performed === "again" ? [again, ...rest] : rest;
    const changes = { plan: JSON.stringify({ ...plan, steps }), dueAtMs: steps[0]?.atMs ?? null };
    if (record.status !== "waiting" || performed === "again") return change(record, changes);
    if (performed === "done") return change(record, { ...changes, status: "sent", sentAtMs: Date.now() });
    return change(record, steps.length > 0 ? changes : { ...changes, status: "failed" });
  };

  const change = (record: NotificationRecord, changes: NotificationChanges) =>
    notifications.change(record.id, record.version, changes);

  const end = (record: NotificationRecord, status: NotificationRecord["status"]) =>
    change(record, { status, dueAtMs: null });

  const step: Notifications["step"] = async (id) => {
    for (;;) {
      const record = await notifications.find(id);
      if (record === null || record.dueAtMs === null) return null;
      if (record.dueAtMs > Date.now()) return record.dueAtMs;
      const plan = JSON.parse(record.plan) as Plan;
      const [next] = plan.steps;
      // Each change needs the version it was thought of at: where somebody was quicker, look again.
      if (!next || (record.readAtMs !== null && next.channel !== "inApp")) await end(record, "sent");
      else if (plan.unlessRead && (await isRead(record, plan.unlessRead)))
        await end(record, record.status === "waiting" ? "cancelled" : "sent");
      else if (next.channel === "inApp") await showInApp(record, plan);
      else await finishStep(record, plan, await perform(record, next));
    }
  };

  return {
    accept,
    step,
    preferencesOf,
    async cancel(id) {
      for (;;) {
        const record = await notifications.find(id);
        if (record?.status !== "waiting") return false;
        if (await end(record, "cancelled")) return true;
      }
    },
    async list(user, before, unreadOnly) {
      const [records, unread] = await Promise.all([
        notifications.list(user, { before, limit: pageSize, unreadOnly }),
        notifications.unread(user),
      ]);
      const next = records.length === pageSize ? (records.at(-1)?.position ?? null) : null;
      return { notifications: records.map(notificationView), unread, next };
    },
    async read(user, id, session) {
      const changed = await notifications.markRead(user, id, Date.now());
      if (changed === 0 && id !== null && (await notifications.find(id))?.user !== user)
        throw new Refusal("not_found", "There is no notification of this id");
      const unread = await notifications.unread(user);
      if (changed > 0) await tell(user, { read: id ?? "all", unread }, session);
      return { unread };
    },
    async prefer(user, changes) {
      const changed = { ...(await preferencesOf(user)), ...changes };
      const { phone, ...rest } = changed;
      await notifications.putPreferences({ user, phone, body: JSON.stringify(rest) });
      return changed;
    },
  };
}
