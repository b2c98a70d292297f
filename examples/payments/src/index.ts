export { type Account, type Ledger, openLedger } from "./ledger.ts";
export { startTelling, type TellOptions } from "./tell.ts";
