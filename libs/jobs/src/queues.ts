/** The queues, and what a job carries: the id of a record. What is to be done, and what was done, stands in the store. */

export const queueNames = ["sms-transactional", "sms-bulk", "notifications"] as const;
export type QueueName = (typeof queueNames)[number];

/** In Redis Cluster all keys of a queue must be on one node, which the braces see to. */
export const queuePrefix = "{parley}";

export interface RecordJob {
  /** The record's id, which is the job's id too: so a repeat is one job. */
  id: string;
  /** Of the request that made the record, where it is traced. */
  traceparent?: string;
}
