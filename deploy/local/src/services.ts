/** A server that is not ours but that services need: found on the machine, or started beside them. */
export type EngineName = "nats" | "redis" | "mongodb";

/** Where services store: a file, or a server that is found or started as the other engines are. */
export const storeKinds = ["sqlite", "mongodb"] as const;
export type StoreKind = (typeof storeKinds)[number];

/** One line of the launcher's table: everything it has to know about a service. */
export interface ServiceDefinition {
  name: string;
  /** The file that Node runs, relative to the checkout. */
  entry: string;
  /** How many run unless the flag of this name says otherwise. */
  instances: number;
  flag: string;
  /** The first instance's public port; the others count up. Only services that people's clients connect to have one. */
  publicPort?: number;
  /** The first instance's port on 127.0.0.1, for readiness and the internal API. */
  internalPort: number;
  /** The first instance's port of `GET /metrics`; `internalPort` + 50 unless set. */
  metricsPort?: number;
  needs: readonly EngineName[];
  /** Whether it gets `STORE_URL`. */
  usesStore?: boolean;
  /** Whether it gets `NOTICE_STORE_URL`: notifications and SMS have a file of their own, whose writes the rooms' don't wait for. */
  usesNoticeStore?: boolean;
  /** Further settings, where nothing else is said; `dataDir` is where this run keeps its data. */
  settings?: (dataDir: string) => Record<string, string>;
}

/** A new service is one more entry here. Those with a public port drain before all others. */
export const services: readonly ServiceDefinition[] = [
  {
    name: "gateway",
    entry: "services/gateway/src/main.ts",
    flag: "gateways",
    instances: 2,
    publicPort: 8080,
    internalPort: 9080,
    metricsPort: 9180,
    needs: ["nats"],
  },
  {
    name: "chat",
    entry: "services/chat/src/main.ts",
    flag: "chat",
    instances: 2,
    internalPort: 9200,
    needs: ["nats"],
    usesStore: true,
  },
  {
    name: "presence",
    entry: "services/presence/src/main.ts",
    flag: "presence",
    instances: 1,
    internalPort: 9300,
    needs: ["nats", "redis"],
    usesStore: true,
  },
  {
    name: "timer",
    entry: "services/timer/src/main.ts",
    flag: "timers",
    instances: 1,
    internalPort: 9400,
    needs: ["nats"],
    usesStore: true,
  },
  {
    name: "notify",
    entry: "services/notify/src/main.ts",
    flag: "notify",
    instances: 1,
    internalPort: 9500,
    needs: ["nats", "redis"],
    usesStore: true,
    usesNoticeStore: true,
    settings: () => ({ PHONES_BY_USER: "1" }),
  },
  {
    name: "sms",
    entry: "services/sms/src/main.ts",
    flag: "sms",
    instances: 1,
    internalPort: 9600,
    needs: ["nats", "redis"],
    usesNoticeStore: true,
    // Trying things out: SMS go into a file, and are shown in the page on the phone of whoever gave the number.
    settings: (dataDir) => ({ SMS_FILE: `${dataDir}/sms.jsonl`, SMS_PHONES: "1" }),
  },
];
