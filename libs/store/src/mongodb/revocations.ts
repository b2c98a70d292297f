import type { RevocationStore } from "../revocations.ts";
import { isDuplicate, type MongoConnection } from "./connection.ts";

/** RevocationStore; the port says what each does. The `_id` is the subject. */
export function mongoRevocations({ call, collection }: MongoConnection): RevocationStore {
  const revocations = collection<{ _id: string; beforeMs: number }>("revocations");
  const raise = (subject: string, beforeMs: number) =>
    revocations.updateOne({ _id: subject }, { $max: { beforeMs } }, { upsert: true });
  return {
    put: (subject, beforeMs) =>
      call(async () => {
        try {
          await raise(subject, beforeMs);
        } catch (error) {
          // Two made it at once: now it is there, and the later time counts.
          if (!isDuplicate(error)) throw error;
          await raise(subject, beforeMs);
        }
      }),
    find: (subjects) =>
      call(async () => {
        const found = await revocations.find({ _id: { $in: subjects } }).toArray();
        const bySubject = new Map(found.map(({ _id, beforeMs }) => [_id, beforeMs]));
        return subjects.map((subject) => bySubject.get(subject) ?? null);
      }),
  };
}
