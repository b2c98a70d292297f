import { after, before, describe } from "node:test";
import type { Store } from "../store.ts";
import { logContract } from "./log-contract.ts";
import { logModelContract } from "./log-model-contract.ts";
import { notificationsContract } from "./notifications-contract.ts";
import { revocationsContract } from "./revocations-contract.ts";
import { roomsContract } from "./rooms-contract.ts";
import { smsContract } from "./sms-contract.ts";
import { ticketsContract } from "./tickets-contract.ts";
import { timersContract } from "./timers-contract.ts";
import { unreadContract } from "./unread-contract.ts";
import { usersContract } from "./users-contract.ts";
import { writersContract } from "./writers-contract.ts";

/** Opens an empty place and two stores on it, as two processes would. */
export type OpenContractStore = () => Promise<{ store: Store; second: Store; close(): Promise<void> }>;

/** The two stores of the suite under way; read within a test, never before. */
export interface ContractStores {
  readonly store: Store;
  readonly second: Store;
  /** Each read goes through all that there is (FerretDB 1): tests then do less, and ask for larger pages. */
  readonly scans: boolean;
}

export interface ContractOptions {
  scans?: boolean;
}

/** Registers the tests which every adapter must pass. All of them share one place, with keys and names of their own. */
export function storeContract(name: string, open: OpenContractStore, options: ContractOptions = {}): void {
  describe(`store contract: ${name}`, () => {
    let opened: Awaited<ReturnType<OpenContractStore>>;
    before(async () => {
      opened = await open();
    });
    after(() => opened.close());
    const stores: ContractStores = {
      get store() {
        return opened.store;
      },
      get second() {
        return opened.second;
      },
      scans: options.scans ?? false,
    };
    logContract(stores);
    logModelContract(stores);
    writersContract(stores);
    roomsContract(stores);
    unreadContract(stores);
    usersContract(stores);
    notificationsContract(stores);
    smsContract(stores);
    ticketsContract(stores);
    timersContract(stores);
    revocationsContract(stores);
  });
}
