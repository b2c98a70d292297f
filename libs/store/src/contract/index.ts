export { type AppendMessage, appendProperty, type Writer } from "./append-property.ts";
export { flakyStore } from "./flaky-store.ts";
export { type OpenContractStore, storeContract } from "./store-contract.ts";
