import { dashboard, type Panel, type Row, type Unit } from "./dashboard.ts";

const here = 'namespace="$namespace"';

const panel = (title: string, unit: Unit, queries: Panel["queries"], description?: string): Panel => ({
  title,
  unit,
  queries,
  ...(description ? { description } : {}),
});

const rate = (metric: string, labels = "") => `rate(${metric}{${here}${labels}}[$__rate_interval])`;
const total = (metric: string, labels = "") => `sum(${rate(metric, labels)})`;
const by = (label: string, metric: string, labels = "") => `sum by (${label}) (${rate(metric, labels)})`;
const quantiles = (metric: string, labels = ""): Panel["queries"] =>
  [0.5, 0.99, 0.999].map((q) => [
    `histogram_quantile(${q}, sum by (le) (${rate(`${metric}_bucket`, labels)}))`,
    `p${String(q * 100)}`,
  ]);

/** What every process tells, for the services that `labels` chooses. */
const processes = (labels: string): Row => ({
  title: "Processes",
  panels: [
    panel(
      "Event loop delay, p99",
      "s",
      [[`max by (pod) (parley_loop_delay_seconds{${here}, quantile="0.99"${labels}})`, "{{pod}}"]],
      "Above 50 ms clients feel it; autoscaling of gateways looks at it",
    ),
    panel("Processor", "percentunit", [[by("pod", "process_cpu_seconds_total", labels), "{{pod}}"]], "1 is one core"),
    panel("Memory", "bytes", [[`process_resident_memory_bytes{${here}${labels}}`, "{{pod}}"]]),
    panel("Event loop busy", "percentunit", [[`parley_loop_utilization_ratio{${here}${labels}}`, "{{pod}}"]]),
    panel("Garbage collection", "percentunit", [[by("pod", "nodejs_gc_duration_seconds_sum", labels), "{{pod}}"]]),
    panel("Heap", "bytes", [[`nodejs_heap_size_used_bytes{${here}${labels}}`, "{{pod}}"]]),
  ],
});

const apis = (labels: string): Row => ({
  title: "Internal API",
  panels: [
    panel("Calls", "reqps", [
      [by("service, route, status", "parley_api_requests_total", labels), "{{service}} {{route}} {{status}}"],
    ]),
    panel("How long they take", "s", quantiles("parley_api_request_seconds", labels)),
  ],
});

const workers = (services: string): Row => ({
  title: "Batches",
  panels: [
    panel("Requests by outcome", "reqps", [
      [by("service, outcome", "parley_worker_requests_total", `, service=~"${services}"`), "{{service}} {{outcome}}"],
    ]),
    panel(
      "Batches waiting",
      "short",
      [[`sum by (pod) (parley_worker_batches_waiting{${here}, service=~"${services}"})`, "{{pod}}"]],
      "Taken and not yet answered; autoscaling of chat looks at it",
    ),
    panel("Time for a batch", "s", quantiles("parley_worker_batch_seconds", `, service=~"${services}"`)),
  ],
});

export const dashboards: Readonly<Record<string, object>> = {
  overview: dashboard("parley-overview", "Parley: overview", [
    {
      title: "What people see",
      panels: [
        panel("Connections", "short", [[`sum by (transport) (parley_gateway_connections{${here}})`, "{{transport}}"]]),
        panel("Client events", "reqps", [[by("event", "parley_gateway_events_total"), "{{event}}"]]),
        panel("Deliveries", "ops", [[total("parley_gateway_deliveries_total"), "to listeners"]]),
        panel(
          "From an event to its answer",
          "s",
          quantiles("parley_gateway_ask_seconds", ', to="chat"'),
          "Of a message, until it is on durable storage",
        ),
        panel("Refusals", "reqps", [[by("code", "parley_gateway_refusals_total"), "{{code}}"]]),
        panel("Users online", "short", [[`max(parley_presence_users_online{${here}})`, "users"]]),
      ],
    },
    {
      title: "What holds it up",
      panels: [
        panel("Entries stored", "ops", [[total("parley_chat_entries_total"), "entries"]]),
        panel("A write to the store", "s", quantiles("parley_chat_append_seconds")),
        panel(
          "Repairs",
          "ops",
          [
            [total("parley_gateway_gaps_repaired_total"), "gaps repaired"],
            [total("parley_gateway_repeats_dropped_total"), "repeats dropped"],
            [total("parley_chat_append_conflicts_total"), "append conflicts"],
            [total("parley_chat_append_failures_total"), "writes failed"],
          ],
          "Some are normal when pods come and go",
        ),
      ],
    },
    {
      title: "Saturation",
      panels: [
        panel("Event loop delay, p99", "s", [
          [`max by (service) (parley_loop_delay_seconds{${here}, quantile="0.99"})`, "{{service}}"],
        ]),
        panel(
          "Processor",
          "percentunit",
          [[by("service", "process_cpu_seconds_total"), "{{service}}"]],
          "1 is one core",
        ),
        panel("SMS waiting", "s", [[`max by (lane) (parley_sms_queue_oldest_seconds{${here}})`, "{{lane}}"]]),
      ],
    },
  ]),
  gateway: dashboard("parley-gateway", "Parley: gateways", [
    {
      title: "Connections",
      panels: [
        panel("By pod", "short", [[`sum by (pod) (parley_gateway_connections{${here}})`, "{{pod}}"]]),
        panel("Registered", "short", [[`sum by (pod) (parley_gateway_sessions_registered{${here}})`, "{{pod}}"]]),
        panel("Turned away", "ops", [
          [total("parley_gateway_connections_refused_total"), "handshakes refused"],
          [total("parley_gateway_slow_clients_dropped_total"), "slow clients dropped"],
        ]),
      ],
    },
    {
      title: "Fan-out",
      panels: [
        panel("Deliveries", "ops", [[by("pod", "parley_gateway_deliveries_total"), "{{pod}}"]]),
        panel("Records from NATS", "ops", [[by("pod", "parley_gateway_records_total"), "{{pod}}"]]),
        panel("Rooms listened to", "short", [[`sum by (pod) (parley_gateway_rooms{${here}})`, "{{pod}}"]]),
        panel("Gaps repaired", "ops", [[by("pod", "parley_gateway_gaps_repaired_total"), "{{pod}}"]]),
        panel("Repeats dropped", "ops", [[by("pod", "parley_gateway_repeats_dropped_total"), "{{pod}}"]]),
      ],
    },
    {
      title: "Asking workers",
      panels: [
        panel("Waiting for an answer", "short", [[`sum by (pod) (parley_gateway_asks_waiting{${here}})`, "{{pod}}"]]),
        panel("Answers by chat", "s", quantiles("parley_gateway_ask_seconds", ', to="chat"')),
        panel("Answers by presence", "s", quantiles("parley_gateway_ask_seconds", ', to="presence"')),
      ],
    },
    processes(', service="gateway"'),
  ]),
  chat: dashboard("parley-chat", "Parley: chat, presence and timers", [
    workers("chat|presence|timer"),
    {
      title: "The log",
      panels: [
        panel("Entries stored", "ops", [[by("pod", "parley_chat_entries_total"), "{{pod}}"]]),
        panel("A write to the store", "s", quantiles("parley_chat_append_seconds")),
        panel("Entries waiting for the store", "short", [
          [`sum by (pod) (parley_chat_appends_waiting{${here}})`, "{{pod}}"],
        ]),
        panel("Conflicts and failures", "ops", [
          [total("parley_chat_append_conflicts_total"), "conflicts"],
          [total("parley_chat_append_failures_total"), "failures"],
        ]),
        panel("Repeats", "ops", [[total("parley_chat_repeats_total"), "answered without storing"]]),
        panel("Rooms in memory", "short", [[`sum by (pod) (parley_chat_rooms_warm{${here}})`, "{{pod}}"]]),
      ],
    },
    {
      title: "Presence and timers",
      panels: [
        panel("Users online", "short", [[`max(parley_presence_users_online{${here}})`, "users"]]),
        panel("Changes told", "ops", [[total("parley_presence_told_total"), "changes"]]),
        panel("Presence frozen", "short", [[`max(parley_presence_frozen{${here}})`, "1: Redis is away"]]),
        panel("Timers running", "short", [[`sum(parley_timer_running{${here}})`, "timers"]]),
        panel("Ticks", "ops", [[total("parley_timer_ticks_total"), "ticks"]]),
        panel("Tick lateness", "s", quantiles("parley_timer_tick_lateness_seconds")),
      ],
    },
    processes(', service=~"chat|presence|timer"'),
  ]),
  jobs: dashboard("parley-jobs", "Parley: notifications and SMS", [
    {
      title: "Queues",
      panels: [
        panel("Jobs", "short", [[`max by (lane, state) (parley_sms_queue_jobs{${here}})`, "{{lane}} {{state}}"]]),
        panel("Age of the oldest", "s", [[`max by (lane) (parley_sms_queue_oldest_seconds{${here}})`, "{{lane}}"]]),
        panel("Records not ended well", "short", [[`max by (status) (parley_sms_records{${here}})`, "{{status}}"]]),
      ],
    },
    {
      title: "Provider",
      panels: [
        panel("Attempts by outcome", "ops", [
          [by("provider, outcome", "parley_sms_attempts_total"), "{{provider}} {{outcome}}"],
        ]),
        panel("How long it takes", "s", quantiles("parley_sms_attempt_seconds")),
      ],
    },
    apis(', service=~"notify|sms"'),
    processes(', service=~"notify|sms"'),
  ]),
};
