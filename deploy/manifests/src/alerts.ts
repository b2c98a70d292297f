/** What wakes somebody, or waits for the morning. Each has a section of its own in docs/operations.md: a test sees to it. */

export interface Alert {
  name: string;
  expr: string;
  /** How long it must hold. */
  for: string;
  /** `critical`: people notice now, or soon will. `warning`: look in working hours. */
  severity: "critical" | "warning";
  /** One line of what is wrong; `{{ $labels.pod }}` and `{{ $value }}` as Prometheus has them. */
  summary: string;
}

const everybody = "gateway|chat|presence|timer|notify|sms";

export const alerts: readonly Alert[] = [
  {
    name: "ParleyServiceDown",
    expr: `sum by (job) (up{job=~"${everybody}"}) == 0`,
    for: "1m",
    severity: "critical",
    summary: "No pod of {{ $labels.job }} can be reached",
  },
  {
    name: "ParleySendsFail",
    expr: 'sum(rate(parley_gateway_refusals_total{code=~"unavailable|internal"}[5m])) > 0.01 * sum(rate(parley_gateway_events_total[5m]))',
    for: "2m",
    severity: "critical",
    summary: "More than 1 % of what clients ask fails on our side",
  },
  {
    name: "ParleySlow",
    expr: 'histogram_quantile(0.99, sum by (le) (rate(parley_gateway_ask_seconds_bucket{to="chat"}[5m]))) > 0.5',
    for: "5m",
    severity: "critical",
    summary: "One in a hundred messages takes {{ $value }} s to be stored and answered",
  },
  {
    name: "ParleyStoreFails",
    expr: "sum(rate(parley_chat_append_failures_total[5m])) > 0",
    for: "2m",
    severity: "critical",
    summary: "Chat workers can't write to the store",
  },
  {
    name: "ParleyFaults",
    expr: 'sum by (service) (rate(parley_worker_requests_total{outcome="failed"}[5m])) > 0',
    for: "5m",
    severity: "warning",
    summary: "{{ $labels.service }} workers fail at requests by a fault of ours",
  },
  {
    name: "ParleyLoopBlocked",
    expr: 'max by (service, pod) (parley_loop_delay_seconds{quantile="0.99"}) > 0.2',
    for: "5m",
    severity: "warning",
    summary: "The event loop of {{ $labels.pod }} is {{ $value }} s late",
  },
  {
    name: "ParleyRestarts",
    expr: "sum by (service) (changes(process_start_time_seconds[30m])) > 3",
    for: "0m",
    severity: "warning",
    summary: "Pods of {{ $labels.service }} start again and again",
  },
  {
    name: "ParleyConflicts",
    expr: "sum(rate(parley_chat_append_conflicts_total[5m])) > 5",
    for: "10m",
    severity: "warning",
    summary: "Chat workers write to the same rooms: {{ $value }} conflicts a second",
  },
  {
    name: "ParleyGaps",
    expr: "sum(rate(parley_gateway_gaps_repaired_total[5m])) > 10",
    for: "10m",
    severity: "warning",
    summary: "NATS loses {{ $value }} entries a second, which gateways fetch from the store",
  },
  {
    name: "ParleyConnectionsRefused",
    expr: "sum(rate(parley_gateway_connections_refused_total[5m])) > 5",
    for: "5m",
    severity: "warning",
    summary: "Gateways refuse {{ $value }} connections a second",
  },
  {
    name: "ParleySlowClients",
    expr: "sum(rate(parley_gateway_slow_clients_dropped_total[5m])) > 1",
    for: "10m",
    severity: "warning",
    summary: "{{ $value }} clients a second are cut off for reading too slowly",
  },
  {
    name: "ParleyPresenceFrozen",
    expr: "max(parley_presence_frozen) == 1",
    for: "1m",
    severity: "warning",
    summary: "Redis can't be reached: nobody's presence changes",
  },
  {
    name: "ParleyTimersLate",
    expr: "histogram_quantile(0.99, sum by (le) (rate(parley_timer_tick_lateness_seconds_bucket[5m]))) > 1",
    for: "5m",
    severity: "warning",
    summary: "Timers tick {{ $value }} s late",
  },
  {
    name: "ParleySmsWaiting",
    expr: 'max(parley_sms_queue_oldest_seconds{lane="transactional"}) > 60',
    for: "5m",
    severity: "critical",
    summary: "A one-time code or booking has waited {{ $value }} s for its SMS",
  },
  {
    name: "ParleySmsUnknown",
    expr: 'max(parley_sms_records{status="unknown"}) > 0',
    for: "30m",
    severity: "warning",
    summary: "Of {{ $value }} SMS nobody knows whether they were sent",
  },
  {
    name: "ParleySmsDeadLetters",
    expr: 'max(delta(parley_sms_records{status="failed"}[1h])) > 0',
    for: "0m",
    severity: "warning",
    summary: "{{ $value }} SMS more have failed for good",
  },
];

/** Where an alert's section stands: GitHub's anchor of a heading is its text in lower case. */
const runbook = (name: string) => `docs/operations.md#${name.toLowerCase()}`;

/** As the Prometheus operator takes them. */
export const prometheusRule = () => ({
  apiVersion: "monitoring.coreos.com/v1",
  kind: "PrometheusRule",
  metadata: { name: "parley", labels: { "app.kubernetes.io/part-of": "parley" } },
  spec: {
    groups: [
      {
        name: "parley",
        rules: alerts.map(({ name, expr, for: held, severity, summary }) => ({
          alert: name,
          expr,
          for: held,
          labels: { severity },
          annotations: { summary, runbook_url: runbook(name) },
        })),
      },
    ],
  },
});
