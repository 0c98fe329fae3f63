import type { Clock } from '../../../ports/clock.ts';
import type { Log } from '../../../ports/log.ts';
import { CollectorLog } from '../../otlp/collector-log.ts';
import { unlessMissing } from '../../otlp/missing-packages.ts';
import type { Registry } from '../registry.ts';
import { otlpMetric } from './otlp-data.ts';
import type { OtlpSettings } from './otlp-settings.ts';

/** The packages by which a process exports its metrics. A program that exports none needs none of them. */
const packages = ['@opentelemetry/resources', '@opentelemetry/exporter-metrics-otlp-proto'];

export interface ExportOptions extends OtlpSettings {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Log;
  /** The attributes by which the process names itself (`processAttributes`). */
  readonly process: Readonly<Record<string, string>>;
}

export interface MetricsExport {
  /** Sends the metrics a last time, for at most `limitMs`, and then sends nothing more. */
  stop(limitMs: number): Promise<void>;
}

/** Sends a collection of metrics. Rejects with the cause if the collector did not take it. */
type Send = () => Promise<void>;

/**
 * Sends all metrics to a collector by OTLP at a regular interval. The values are totals, so nothing is kept of a collection
 * that was not taken: the next one has it. Returns undefined, and logs it, if packages of OpenTelemetry are missing.
 */
export async function startExport(options: ExportOptions): Promise<MetricsExport | undefined> {
  const { clock, log, everyMs, timeoutMs, ignored } = options;
  const send: Send | undefined = await unlessMissing(log, 'metrics', packages, () => openExporter(options));
  if (send === undefined) return undefined;
  if (ignored !== undefined) log.warn({}, ignored);
  const stopping = new AbortController();
  const exportLog = new CollectorLog(clock, log, 'metrics');
  const sendOnce = async (limitMs: number): Promise<void> => {
    const over = new AbortController();
    const late = clock.sleep(limitMs, over.signal).then(() => {
      if (!over.signal.aborted) throw new Error(`no answer within ${limitMs} ms`);
    });
    try {
      await Promise.race([send(), late]);
    } catch (err) {
      exportLog.failed(0, err);
    } finally {
      over.abort();
    }
  };
  const run = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(everyMs, stopping.signal);
      if (stopping.signal.aborted) return;
      await sendOnce(timeoutMs);
    }
  };
  const running = run();
  return {
    async stop(limitMs) {
      const untilMs = clock.monotonic() + limitMs;
      stopping.abort();
      // The collector gets one request at a time, and one may be under way.
      const over = new AbortController();
      await Promise.race([running, clock.sleep(limitMs, over.signal)]);
      over.abort();
      const leftMs = Math.round(untilMs - clock.monotonic());
      if (leftMs > 0) await sendOnce(leftMs);
      exportLog.close();
    },
  };
}

async function openExporter(options: ExportOptions): Promise<Send> {
  const { registry, clock, process, url, timeoutMs } = options;
  const [resources, { OTLPMetricExporter }] = await Promise.all([
    import('@opentelemetry/resources'),
    import('@opentelemetry/exporter-metrics-otlp-proto'),
  ]);
  const resource = resources.resourceFromAttributes(process);
  // A collector that does not answer has at most one request.
  const exporter = new OTLPMetricExporter({ url, timeoutMillis: timeoutMs, concurrencyLimit: 1 });
  const scope = { name: 'holdfast', version: process['service.version'] ?? '' };
  const startedAtMs = clock.now();
  return async () => {
    const collected = await registry.collect();
    const counted = { startedAtMs, nowMs: clock.now() };
    const metrics = collected.map((metric) => otlpMetric(metric, counted));
    await new Promise<void>((resolve, reject) => {
      exporter.export({ resource, scopeMetrics: [{ scope, metrics }] }, ({ error, code }) => {
        if (code === 0) resolve();
        else reject(error ?? new Error('the collector did not take the metrics'));
      });
    });
  };
}
