// `npm run docs:metrics` writes docs/metrics.md from the catalogue of metrics. test/metrics/documented.spec.ts compares both.
import { writeFileSync } from 'node:fs';
import { mostNames } from '../src/telemetry/metrics/bounded-names.ts';
import { catalogue } from '../src/telemetry/metrics/catalogue/catalogue.ts';
import { type MetricDefinition, names } from '../src/telemetry/metrics/catalogue/metric.ts';
import { prometheusName } from '../src/telemetry/metrics/exposition.ts';

/** How many values of a label the table lists; of a longer set it says how many there are. */
const mostListed = 20;

const introduction = `# Metrics

This page is written by \`npm run docs:metrics\` from the catalogue in \`src/telemetry/metrics/catalogue/\`. \`test/metrics/\` shows
that servers, workers and the canary have every metric of it, and no other.

\`holdfast serve\`, \`dev\`, \`worker\` and \`canary\` show their metrics to Prometheus with \`--metrics-port <n>\` (or
HOLDFAST_METRICS_PORT), at \`/metrics\` of a listener of its own. It is off by default and then listens on 127.0.0.1 only:
\`--metrics-host <address>\` (HOLDFAST_METRICS_HOST) opens it to other machines. It has neither TLS nor permissions, since it shows
names of queues and types, numbers, and nothing of any task. A scrape takes some ms, and a quarter
of a second in small pieces for 2,000 pairs of queues and types (11 MB); requests at the same time share one collection. On a
loopback address it answers requests to localhost and to addresses, not to other names.

\`\`\`yaml
scrape_configs:
  - job_name: holdfast
    static_configs: [{ targets: ['127.0.0.1:9464'] }]
\`\`\`

**Over OTLP** the same metrics are sent to a collector if OTEL_EXPORTER_OTLP_ENDPOINT (or OTEL_EXPORTER_OTLP_METRICS_ENDPOINT) names
one, by http/protobuf, with OTEL_EXPORTER_OTLP_HEADERS, and every OTEL_METRIC_EXPORT_INTERVAL (60 s). OTEL_METRICS_EXPORTER=none switches it off;
\`otlp\` without an endpoint sends to http://localhost:4318. OTEL_EXPORTER_OTLP_METRICS_TIMEOUT bounds a request, OTEL_EXPORTER_OTLP_METRICS_PROTOCOL is not followed, and the other variables, and how the process
names itself, are those of [traces](telemetry.md#switching-traces-on).
It needs two packages that Holdfast does not install by itself:
\`npm install @opentelemetry/resources @opentelemetry/exporter-metrics-otlp-proto\`. Histograms are exponential, and all values are
totals since the start of the process, so that a collector that was down has missed nothing but its time. A collector that is down, hangs
or answers with an error has at most one request at a time, delays no task and costs one line of the log a minute.

**On CloudWatch** without a collector: \`--emf <namespace>\` writes some of them as lines of EMF
([deployment](deployment.md#metrics-without-a-collector)).

- **Labels.** \`queue\`, \`type\` and the other names have at most ${mostNames} values each in a process; every further one counts as
  \`_other\`. A metric has at most 2,000 series. Ids, keys, names of workers and texts of errors are never labels. \`tenant\` is a label of
  the tenants that \`--metrics-tenants a,b\` (HOLDFAST_METRICS_TENANTS) names; all others share the series without it.
  A node shows the gauges of 200 queues, those that it showed before first, so that new queues take no place of older ones; after a restart
  the order is that of tenants and names. The other queues have no gauges, and no alert: let the policy say which queues an identity may use.
- **Several nodes.** Counters add up over the processes: \`sum by (queue) (rate(…))\`. The gauges of a queue come from one of the nodes, the
  one that reconciles the queue, so \`sum\` and \`max\` are right for them too. While the queues move to another node, both may show them
  for a minute.
- **What it costs.** Counters are numbers in memory. The gauges of queues are read when they are scraped: every 10 s at most from a
  file, every 60 s from a table, and then with at most some 1,100 read units for each queue. A server that is not scraped reads nothing.
- A worker that polls SQS itself (\`--engine aws\`) is a node too, and has the metrics of a server beside those of a worker, without the gauges
  of queues.
- The panels are those of the dashboards for Grafana in \`deploy/observability/grafana/\` ([the whole stack](telemetry.md#run-the-whole-stack)).
- A source that fails shows nothing after three minutes, so that \`absent()\` and alerts without data can notice it.
`;

function labelsOf({ labels }: MetricDefinition): string {
  const own = Object.entries(labels).map(([label, values]) => {
    const listed = values === names ? [] : values.filter((value) => value !== '');
    if (listed.length === 0) return `\`${label}\``;
    if (listed.length > mostListed) return `\`${label}\`: one of ${listed.length} words`;
    return `\`${label}\` = ${listed.join(', ')}`;
  });
  const tenant = 'queue' in labels ? ['`tenant`'] : [];
  return [...own, ...tenant].join('; ') || '–';
}

function rowOf(name: string, definition: MetricDefinition): string {
  const { kind, unit, description, usedBy, on } = definition;
  const cells = [
    `\`${name}\`<br>\`${prometheusName(name, definition)}\``,
    `${kind}, ${unit}`,
    labelsOf(definition),
    description.replaceAll('|', '\\|'),
    usedBy,
    on.join(', '),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** Returns the text of docs/metrics.md. */
export function metricsPage(): string {
  const rows = Object.entries<MetricDefinition>(catalogue).map(([name, definition]) =>
    rowOf(name, definition),
  );
  return [
    introduction,
    '## The catalogue',
    '',
    'The first name is that of OTLP, the second that of Prometheus.',
    '',
    '| name | kind, unit | labels | what it is | used by | on |',
    '|---|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

if (import.meta.main) writeFileSync(new URL('../docs/metrics.md', import.meta.url), metricsPage());
