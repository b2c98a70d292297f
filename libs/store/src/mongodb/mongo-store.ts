import type { Store } from "../store.ts";
import { connectMongo, isDuplicate, type MongoOptions } from "./connection.ts";
import { mongoLog } from "./log.ts";
import { mongoMembers } from "./members.ts";
import { mongoNotifications } from "./notifications.ts";
import { recordsOf } from "./records.ts";
import { mongoRemovals } from "./removals.ts";
import { mongoRevocations } from "./revocations.ts";
import { mongoRooms } from "./rooms.ts";
import { migrate } from "./schema.ts";
import { segmentsOf } from "./segments.ts";
import { mongoSms } from "./sms.ts";
import { mongoTickets } from "./tickets.ts";
import { mongoTimers } from "./timers.ts";
import { mongoUsers } from "./users.ts";

/** Several workers sweep; each now and then, so that not all do at once. */
const sweepEveryMs = 60_000;

/** The MongoDB adapter of Store. Rejects with StoreUnavailable when the server can't be reached. */
export async function openMongoStore(url: string, options: MongoOptions = {}): Promise<Store> {
  const connection = await connectMongo(url, options);
  const records = recordsOf(connection);
  try {
    await migrate(connection, records);
  } catch (error) {
    await connection.close();
    throw error;
  }
  const segments = segmentsOf(connection);
  const rooms = mongoRooms(connection, records);
  const roomExists = async (key: number): Promise<boolean> => (await rooms.nameOf(key)) !== null;
  const log = mongoLog({ connection, segments, records, roomExists });
  const members = mongoMembers({ connection, records, rooms, segments });
  const timers = mongoTimers(connection, records, rooms);
  const removals = mongoRemovals({ connection, log, removeTimer: timers.remove });
  const users = mongoUsers({ connection, records, removeGuests: removals.removeGuests });
  const meta = connection.collection<{ _id: string; n: number }>("meta");

  async function sweep(): Promise<void> {
    await removals.sweep(Date.now());
    await log.sweep(Date.now());
  }
  let sweeping: Promise<void> = Promise.resolve();
  const timer = setInterval(
    () => {
      sweeping = sweeping.then(sweep).catch(() => {});
    },
    sweepEveryMs * (0.5 + Math.random()),
  );
  timer.unref();

  return {
    log: log.log,
    rooms: { ...rooms.calls, ...members.calls, delete: removals.deleteRoom },
    users,
    notifications: mongoNotifications(connection, records),
    sms: mongoSms(connection, records),
    tickets: mongoTickets(connection, records),
    timers: timers.store,
    revocations: mongoRevocations(connection),
    ping: () =>
      connection.call(async () => {
        try {
          await meta.updateOne({ _id: "ping" }, { $inc: { n: 1 } }, { upsert: true });
        } catch (error) {
          if (!isDuplicate(error)) throw error;
        }
      }),
    async close() {
      clearInterval(timer);
      await connection.close();
    },
  };
}
