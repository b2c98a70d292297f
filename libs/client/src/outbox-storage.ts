import type { StoredEvent, StoredRequest } from "./outbox.ts";

/** Something that waits to be acknowledged, as it is kept across pages. */
export interface OutboxItem {
  event: StoredEvent;
  requestData: StoredRequest;
  /** When it was written, by this device's clock. ISO 8601, UTC. */
  at: string;
  /** Whose it is; null when it was written before anybody was registered. */
  user: string | null;
}

/** Where the outbox keeps what was not acknowledged yet; `indexedDbOutbox()` is one. Failing, it is done without. */
export interface OutboxStorage {
  /** All that is kept, oldest first. */
  load(): Promise<readonly OutboxItem[]>;
  /** Keeps it under its `clientMessageId`. */
  put(item: OutboxItem): Promise<void>;
  remove(clientMessageId: string): Promise<void>;
}

/** As much of IndexedDB as is used here; the compiler's own types come with all of the DOM. */
interface Request<Result> {
  result: Result;
  error: unknown;
  onsuccess: (() => void) | null;
  onerror: (() => void) | null;
}

interface Opening extends Request<Database> {
  onupgradeneeded: (() => void) | null;
}

interface Database {
  createObjectStore(name: string, options: { keyPath: string }): unknown;
  transaction(store: string, mode: "readonly" | "readwrite"): Transaction;
}

interface Transaction {
  objectStore(name: string): ObjectStore;
  commit?(): void;
}

interface ObjectStore {
  getAll(): Request<OutboxItem[]>;
  put(item: OutboxItem): Request<unknown>;
  delete(key: string): Request<unknown>;
}

const table = "items";

const settled = <Result>(request: Request<Result>): Promise<Result> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** Keeps the outbox in the browser's IndexedDB, in a database of this name. */
export function indexedDbOutbox(name = "parley-outbox"): OutboxStorage {
  let opening: Promise<Database> | undefined;

  function open(): Promise<Database> {
    const { indexedDB } = globalThis as unknown as { indexedDB: { open(name: string, version: number): Opening } };
    const request = indexedDB.open(name, 1);
    // By their own ids, which ascend: what is loaded comes in the order in which it was written.
    request.onupgradeneeded = () => request.result.createObjectStore(table, { keyPath: "requestData.clientMessageId" });
    return settled(request);
  }

  async function act<Result>(mode: "readonly" | "readwrite", what: (store: ObjectStore) => Request<Result>) {
    opening ??= open();
    const transaction = (await opening).transaction(table, mode);
    const request = what(transaction.objectStore(table));
    // Left to itself it ends only after the request is answered, and is undone if the page is gone by then.
    transaction.commit?.();
    return settled(request);
  }

  return {
    load: () => act("readonly", (store) => store.getAll()),
    put: async (item) => void (await act("readwrite", (store) => store.put(item))),
    remove: async (id) => void (await act("readwrite", (store) => store.delete(id))),
  };
}
