/** The configurations of the back ends, as values: a collector that is Jaeger, and Prometheus. */
import { collectorConfig } from '../../observability/stack-files.ts';

export interface StackPorts {
  /** The collector: OTLP over HTTP and over gRPC. */
  readonly otlp: number;
  readonly otlpGrpc: number;
  /** Jaeger: its API, its API over gRPC, and its health. */
  readonly jaeger: number;
  readonly jaegerGrpc: number;
  readonly health: number;
  /** The metrics that the collector makes of spans, and those that it has received. */
  readonly collected: number;
  readonly victoriaLogs: number;
  readonly prometheus: number;
}

/** The time for which the collector waits for the spans of a trace before it decides whether to keep it. */
export const decisionWaitMs = 2_000;

interface SamplingPolicy {
  readonly name: string;
  readonly [setting: string]: unknown;
}

/** Returns the shipped rules by which the collector keeps a trace, with another share of the traces that no rule names. */
function samplingPolicies(keptPercent: number): readonly SamplingPolicy[] {
  const shipped: readonly SamplingPolicy[] =
    collectorConfig('jaeger-victorialogs').processors.tail_sampling.policies;
  const rest = { probabilistic: { sampling_percentage: keptPercent } };
  return shipped.map((policy) => (policy.name === 'rest' ? { ...policy, ...rest } : policy));
}

/** The span attributes that become labels of the metrics that the collector makes of spans. */
const dimensions = ['messaging.destination.name', 'holdfast.task.type', 'holdfast.outcome'];

/** Returns the configuration of Jaeger as the collector of all signals and the store of traces. */
export function jaegerConfig(ports: StackPorts, keptPercent: number): object {
  const at = (port: number): object => ({ endpoint: `127.0.0.1:${port}` });
  const lists = {
    traces: {
      processors: ['memory_limiter', 'tail_sampling', 'batch'],
      // Metrics are made of the kept spans alone, so that each exemplar leads to a trace that exists.
      exporters: ['jaeger_storage_exporter', 'spanmetrics'],
    },
    metrics: {
      receivers: ['otlp', 'spanmetrics'],
      processors: ['memory_limiter', 'batch'],
      exporters: ['prometheus'],
    },
    logs: { processors: ['memory_limiter', 'batch'], exporters: ['otlphttp/victorialogs'] },
  };
  const pipelines = Object.entries(lists).map(([name, one]) => [name, { receivers: ['otlp'], ...one }]);
  return {
    service: {
      extensions: ['jaeger_storage', 'jaeger_query', 'healthcheckv2'],
      pipelines: Object.fromEntries(pipelines),
      telemetry: { metrics: { level: 'none' }, logs: { level: 'warn' } },
    },
    extensions: {
      jaeger_storage: { backends: { store: { badger: { ephemeral: true } } } },
      jaeger_query: {
        storage: { traces: 'store' },
        http: at(ports.jaeger),
        grpc: at(ports.jaegerGrpc),
      },
      healthcheckv2: { use_v2: true, http: at(ports.health) },
    },
    receivers: { otlp: { protocols: { grpc: at(ports.otlpGrpc), http: at(ports.otlp) } } },
    connectors: {
      // An exemplar lives until the next flush, so that Prometheus must read more often than that.
      spanmetrics: {
        namespace: 'traces',
        histogram: { unit: 's', explicit: { buckets: ['5ms', '100ms', '1s', '10s'] } },
        dimensions: dimensions.map((name) => ({ name })),
        exemplars: { enabled: true, max_per_data_point: 5 },
        metrics_flush_interval: '3s',
      },
    },
    processors: {
      memory_limiter: { check_interval: '1s', limit_mib: 400, spike_limit_mib: 100 },
      batch: { timeout: '200ms', send_batch_size: 512 },
      tail_sampling: {
        decision_wait: `${decisionWaitMs / 1_000}s`,
        num_traces: 10_000,
        policies: samplingPolicies(keptPercent),
      },
    },
    exporters: {
      jaeger_storage_exporter: { trace_storage: 'store' },
      'otlphttp/victorialogs': {
        logs_endpoint: `http://127.0.0.1:${ports.victoriaLogs}/insert/opentelemetry/v1/logs`,
        headers: { 'VL-Stream-Fields': 'service.name' },
      },
      prometheus: { ...at(ports.collected), enable_open_metrics: true },
    },
  };
}

export interface PrometheusOptions {
  /** The interval at which Prometheus reads its targets and evaluates its rules. */
  readonly intervalMs: number;
  /** The files of rules. */
  readonly ruleFiles: readonly string[];
  /** The port of an Alertmanager that gets the alerts. */
  readonly alertmanagerPort?: number | undefined;
}

/** Returns the configuration of Prometheus. It reads the collector, and what the file of targets names. */
export function prometheusConfig(
  ports: Pick<StackPorts, 'collected'>,
  targetsFile: string,
  { intervalMs, ruleFiles, alertmanagerPort }: PrometheusOptions,
): object {
  const interval = `${intervalMs}ms`;
  const to = (port: number): object => ({ static_configs: [{ targets: [`127.0.0.1:${port}`] }] });
  return {
    global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
    rule_files: ruleFiles,
    scrape_configs: [
      // The collector's metrics name the processes that they came from by job and instance.
      { job_name: 'collector', honor_labels: true, ...to(ports.collected) },
      { job_name: 'holdfast', file_sd_configs: [{ files: [targetsFile] }] },
    ],
    ...(alertmanagerPort !== undefined && { alerting: { alertmanagers: [to(alertmanagerPort)] } }),
  };
}
