import type { Connection } from "./connection.ts";

/** RevocationStore inside the thread; the port says what each does. */
export function revocationsTable({ db }: Connection) {
  const put = db.prepare(
    `INSERT INTO revocations (subject, before) VALUES (?, ?)
     ON CONFLICT (subject) DO UPDATE SET before = max(before, excluded.before)`,
  );
  const find = db.prepare("SELECT before FROM revocations WHERE subject = ?");
  return {
    put: (subject: string, beforeMs: number): void => void put.run(subject, beforeMs),
    find: (subjects: string[]): (number | null)[] =>
      subjects.map((subject) => (find.get(subject) as { before: number } | undefined)?.before ?? null),
  };
}
