/** A payments backend in small: accounts, transfers, and what is still to be told of them, in one database. */
import { DatabaseSync } from "node:sqlite";

export interface Account {
  id: string;
  name: string;
  /** E.164. */
  phone: string;
  cents: number;
}

/** An SMS that a committed transfer owes to somebody. */
export interface Owed {
  /** The same for the same SMS of the same transfer, for ever: its Idempotency-Key. */
  key: string;
  phone: string;
  text: string;
}

export interface Ledger {
  addAccount(account: Account): void;
  /** Moves the money and notes both SMS in one transaction; waits for nobody. Throws where there is not enough. */
  transfer(id: string, from: string, to: string, cents: number): void;
  /** What is still to be told, oldest first. */
  owed(limit: number): Owed[];
  /** It was taken in (or will never be): no longer owed. */
  settled(key: string): void;
  close(): void;
}

const money = (cents: number): string => (cents / 100).toFixed(2);

export function openLedger(path: string): Ledger {
  const db = new DatabaseSync(path);
  db.exec(`
    PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000;
    CREATE TABLE IF NOT EXISTS accounts (id TEXT PRIMARY KEY, name TEXT NOT NULL, phone TEXT NOT NULL, cents INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS transfers (id TEXT PRIMARY KEY, source TEXT NOT NULL, target TEXT NOT NULL, cents INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS owed (n INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, phone TEXT NOT NULL, text TEXT NOT NULL);
  `);
  const addAccount = db.prepare("INSERT INTO accounts (id, name, phone, cents) VALUES (?, ?, ?, ?)");
  const find = db.prepare("SELECT id, name, phone, cents FROM accounts WHERE id = ?");
  const move = db.prepare("UPDATE accounts SET cents = cents + ? WHERE id = ?");
  const insert = db.prepare("INSERT INTO transfers (id, source, target, cents) VALUES (?, ?, ?, ?)");
  const owe = db.prepare("INSERT INTO owed (key, phone, text) VALUES (?, ?, ?)");
  const owed = db.prepare("SELECT key, phone, text FROM owed ORDER BY n LIMIT ?");
  const settled = db.prepare("DELETE FROM owed WHERE key = ?");

  const account = (id: string): Account => {
    const found = find.get(id) as unknown as Account | undefined;
    if (!found) throw new Error(`There is no account ${id}`);
    return found;
  };

  return {
    addAccount: ({ id, name, phone, cents }) => void addAccount.run(id, name, phone, cents),
    transfer(id, from, to, cents) {
      db.exec("BEGIN IMMEDIATE");
      try {
        const [source, target] = [account(from), account(to)];
        if (source.cents < cents) throw new Error(`${source.name} has not ${money(cents)}`);
        move.run(-cents, from);
        move.run(cents, to);
        insert.run(id, from, to, cents);
        // With the transfer, or not at all: what is committed is owed, whatever happens to this process.
        owe.run(`transfer-${id}-debit`, source.phone, `Debited ${money(cents)} to ${target.name}`);
        owe.run(`transfer-${id}-credit`, target.phone, `Credited ${money(cents)} from ${source.name}`);
        db.exec("COMMIT");
      } catch (error) {
        db.exec("ROLLBACK");
        throw error;
      }
    },
    owed: (limit) => owed.all(limit) as unknown as Owed[],
    settled: (key) => void settled.run(key),
    close: () => db.close(),
  };
}
