import { context, trace } from '@opentelemetry/api';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { CollectorLog } from '../otlp/collector-log.ts';
import type { Environment } from '../otlp/environment.ts';
import { unlessMissing } from '../otlp/missing-packages.ts';
import { BoundedProcessor } from './bounded-processor.ts';
import { type ExportSettings, exportSettings } from './export-settings.ts';
import { samplerOf } from './sampler.ts';

/** The packages by which a process exports its traces. A program that exports none needs none of them. */
const packages = [
  '@opentelemetry/sdk-trace',
  '@opentelemetry/resources',
  '@opentelemetry/context-async-hooks',
  '@opentelemetry/exporter-trace-otlp-proto',
];

export interface ExportingOptions {
  readonly env: Environment;
  readonly clock: Clock;
  readonly log: Log;
  /** The attributes by which the process names itself (`processAttributes`). */
  readonly process: Readonly<Record<string, string>>;
}

export interface Exporting {
  /** Sends what is left, for at most `limitMs`, and then sends nothing more. */
  stop(limitMs: number): Promise<void>;
}

/**
 * Registers an OpenTelemetry SDK that exports the traces of this process over OTLP, if the environment names an endpoint. A
 * SDK that the program has registered itself stays, and this one is undefined then.
 *
 * @throws HoldfastError BAD_CONFIGURATION if the environment has a value that means nothing.
 */
export async function startExporting(options: ExportingOptions): Promise<Exporting | undefined> {
  const { env, log } = options;
  const settings = exportSettings(env);
  if (settings === undefined) return undefined;
  return unlessMissing(log, 'traces', packages, () => register(options, settings));
}

async function register(options: ExportingOptions, settings: ExportSettings): Promise<Exporting | undefined> {
  const { clock, log } = options;
  const [sdk, resources, hooks, { OTLPTraceExporter }] = await Promise.all([
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/context-async-hooks'),
    import('@opentelemetry/exporter-trace-otlp-proto'),
  ]);
  const { url, delayMs, queuedSpans, batchSpans, timeoutMs, ignored } = settings;
  const exportLog = new CollectorLog(clock, log, 'traces');
  const resource = resources.resourceFromAttributes(options.process);
  const processor = new BoundedProcessor(queuedSpans, exportLog, (exportLogged) => {
    const exporter = exportLogged(new OTLPTraceExporter({ url, timeoutMillis: timeoutMs }));
    return new sdk.BatchSpanProcessor({
      exporter,
      scheduledDelayMillis: delayMs,
      // The processor's own queue never fills, and its timeout, which it logs by itself, is never reached.
      maxQueueSize: queuedSpans + batchSpans,
      maxExportBatchSize: batchSpans,
      exportTimeoutMillis: timeoutMs + 5_000,
    });
  });
  const provider = new sdk.TracerProvider({
    resource,
    sampler: samplerOf(sdk, settings),
    spanProcessors: [processor],
  });
  if (!trace.setGlobalTracerProvider(provider)) {
    await provider.shutdown();
    return undefined;
  }
  context.setGlobalContextManager(new hooks.AsyncLocalStorageContextManager().enable());
  if (ignored !== undefined) log.warn({}, ignored);
  return {
    async stop(limitMs) {
      const over = new AbortController();
      const ended = provider.shutdown().catch(() => {});
      await Promise.race([ended, clock.sleep(limitMs, over.signal)]);
      over.abort();
      exportLog.close();
    },
  };
}
