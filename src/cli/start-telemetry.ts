/** Starts the telemetry of a process of the command. What the process neither shows nor exports is not loaded. */
import type { ProcessMetrics } from '../node/metrics/start-metrics.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Tracing } from '../ports/tracing.ts';
import type { MetricsFlags } from './metrics-options.ts';
import { foreignCodeIsLoaded } from './stop.ts';

/** How long a stopping process waits for the collector to take its last spans, metrics and log lines, in ms. */
const lastExportMs = 300;

export interface RunningTelemetry {
  readonly tracing: Tracing;
  /** Undefined if the process neither shows nor exports metrics. */
  readonly metrics: ProcessMetrics | undefined;
  /** Sends all that is left to the collector at the same time, and waits for it a short time only. */
  stop(): Promise<void>;
}

export interface TelemetryOptions {
  readonly clock: Clock;
  /** The default log of the process, whose lines may be exported. */
  readonly log: Log;
  readonly serviceName: 'holdfast-server' | 'holdfast-worker' | 'holdfast-canary';
  /** The options of the process's metrics. Default: it has no metrics. */
  readonly metrics?: MetricsFlags | undefined;
}

/**
 * Starts the metrics if an option asks for them, and the export of traces, metrics and log lines if the environment
 * asks for it. The tracing also uses an SDK that the user's own module has registered.
 *
 * @throws HoldfastError BAD_CONFIGURATION if the environment has a value that means nothing.
 */
export async function startTelemetry(options: TelemetryOptions): Promise<RunningTelemetry> {
  const { clock, log, serviceName } = options;
  const [
    { processAttributes },
    { otlpSettings },
    { startLogExport },
    { startExporting },
    { OtelTracing },
    platform,
  ] = await Promise.all([
    import('../telemetry/otlp/environment.ts'),
    import('../telemetry/metrics/otlp/otlp-settings.ts'),
    import('../telemetry/logs/export-logs.ts'),
    import('../telemetry/traces/start-exporting.ts'),
    import('../telemetry/traces/otel-tracing.ts'),
    Promise.all([import('../platform/version.ts'), import('../platform/log/line-reader.ts')]),
  ]);
  const [{ packageVersion }, { readLines }] = platform;
  const service = { name: serviceName, version: packageVersion, instanceId: clock.uuid() };
  const named = processAttributes(process.env, service);
  const exportOptions = { env: process.env, clock, log, process: named };
  // First, so that the lines about the others are exported too.
  const lines = await startLogExport({ ...exportOptions, readLines });
  const metrics = await startMetrics(options, named);
  metrics?.addSource({
    name: 'log lines',
    everyMs: 0,
    read: (gauges) => gauges.set('holdfast.log.dropped', {}, lines?.dropped ?? 0),
  });
  const exporting = await startExporting(exportOptions);
  if (lines !== undefined || exporting !== undefined || otlpSettings(process.env) !== undefined)
    foreignCodeIsLoaded();
  return {
    metrics,
    tracing: new OtelTracing(service.version),
    async stop() {
      await Promise.all([
        metrics?.stop(lastExportMs),
        exporting?.stop(lastExportMs),
        lines?.stop(lastExportMs),
      ]);
    },
  };
}

async function startMetrics(
  { clock, log, metrics: flags }: TelemetryOptions,
  named: Readonly<Record<string, string>>,
): Promise<ProcessMetrics | undefined> {
  if (flags === undefined) return undefined;
  const { metricsPort, metricsHost, metricsTenants: tenants, emf: namespace } = flags;
  const { otlpSettings } = await import('../telemetry/metrics/otlp/otlp-settings.ts');
  const settings = otlpSettings(process.env);
  if (metricsPort === undefined && settings === undefined && namespace === undefined) return undefined;
  const { startMetrics: start } = await import('../node/metrics/start-metrics.ts');
  const listen = metricsPort === undefined ? undefined : { host: metricsHost, port: metricsPort };
  const otlp = settings === undefined ? undefined : { ...settings, process: named };
  const write = (line: string): void => void process.stdout.write(line);
  const emf = namespace === undefined ? undefined : { namespace, write };
  return start({ clock, log, listen, otlp, emf, tenants });
}
