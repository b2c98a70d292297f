import type { SmsStore } from "@parley/store";

const stopWords = new Set(["stop", "stopall", "unsubscribe", "cancel", "end", "quit", "arret", "stopp"]);
const startWords = new Set(["start", "unstop", "yes"]);

export interface OptOuts {
  /** An SMS came in: STOP and its kin end all SMS to that number, START allows them again. */
  take(from: string, text: string): Promise<void>;
}

export function createOptOuts(store: Pick<SmsStore, "addOptOut" | "removeOptOut">): OptOuts {
  return {
    async take(from, text) {
      const word = text
        .trim()
        .toLowerCase()
        .normalize("NFD")
        .replace(/[^a-z]/g, "");
      if (stopWords.has(word)) await store.addOptOut(from, Date.now());
      if (startWords.has(word)) await store.removeOptOut(from);
    },
  };
}
