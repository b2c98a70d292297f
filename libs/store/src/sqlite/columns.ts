import type { DatabaseSync, SQLInputValue } from "node:sqlite";

/** The column of each field, for records whose fields are all text, numbers or null. */
export type Columns<Row> = { [field in keyof Row]-?: string };

/** Statements for a table whose rows are records as they are, with a version that grows. */
export function recordTable<Row extends { version: number }>(
  db: DatabaseSync,
  table: string,
  key: keyof Row & string,
  columns: Columns<Row>,
) {
  const fields = Object.keys(columns) as (keyof Row & string)[];
  /** Column list that gives rows the fields' names. */
  const select = `SELECT ${fields.map((field) => `${columns[field]} AS "${field}"`).join(", ")} FROM ${table}`;
  const names = fields.map((field) => columns[field]).join(", ");
  const insert = db.prepare(`INSERT INTO ${table} (${names}) VALUES (${fields.map(() => "?").join(", ")})`);
  const find = db.prepare(`${select} WHERE ${columns[key]} = ?`);
  const value = (given: unknown): SQLInputValue => given as SQLInputValue;

  return {
    select,
    insert: (row: Row): void => void insert.run(...fields.map((field) => value(row[field]))),
    find: (id: string): Row | null => (find.get(id) as Row | undefined) ?? null,
    /** Changes the row where it is at `version`, and bumps it. */
    change(id: string, version: number, changes: Partial<Row>): Row | null {
      const changed = fields.filter((field) => changes[field] !== undefined);
      const sets = ["version = version + 1", ...changed.map((field) => `${columns[field]} = ?`)];
      const { changes: n } = db
        .prepare(`UPDATE ${table} SET ${sets.join(", ")} WHERE ${columns[key]} = ? AND version = ?`)
        .run(...changed.map((field) => value(changes[field])), id, version);
      return n === 0 ? null : (find.get(id) as Row);
    },
  };
}
