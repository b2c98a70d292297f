export type { Clock } from "./clock.ts";
export { startTimer, type TimerOptions, type TimerWorker } from "./timer.ts";
