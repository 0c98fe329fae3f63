/** Starts the metrics of a process: the registry, the listener for Prometheus, the export over OTLP. */
import type { SlotCounter } from '../../core/objectives/slot-results.ts';
import { processGauges } from '../../platform/process-gauges.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Engine } from '../../ports/engine.ts';
import type { Log } from '../../ports/log.ts';
import type { GaugeSource, NodeMetrics, RequestObserver, WorkerMetrics } from '../../ports/metrics.ts';
import { type MetricsListener, openMetricsListener } from '../../rpc/server/metrics-listener.ts';
import type { EmfOptions, EmfWriter } from '../../telemetry/metrics/emf/write-emf.ts';
import { contentType, prometheusText } from '../../telemetry/metrics/exposition.ts';
import { NodeCounters } from '../../telemetry/metrics/node-counters.ts';
import type { ExportOptions, MetricsExport } from '../../telemetry/metrics/otlp/export-metrics.ts';
import type { OtlpSettings } from '../../telemetry/metrics/otlp/otlp-settings.ts';
import { Registry } from '../../telemetry/metrics/registry.ts';
import { SlotCounts } from '../../telemetry/metrics/slot-counts.ts';
import { timedStore } from '../../telemetry/metrics/timed-store.ts';
import { WorkerCounters } from '../../telemetry/metrics/worker-counters.ts';
import { refusedHeaders } from './sources.ts';

export interface MetricsOptions {
  /** Where Prometheus reads the metrics. Default: nowhere. */
  readonly listen?: { readonly host: string; readonly port: number } | undefined;
  /** The tenants whose series have the label `tenant`. Default: none. */
  readonly tenants?: readonly string[] | undefined;
  /** Where the metrics for CloudWatch are written, as lines of EMF. Default: nowhere. */
  readonly emf?: Pick<EmfOptions, 'namespace' | 'write'> | undefined;
  /** The collector to which the metrics are sent. Default: none. */
  readonly otlp?: (OtlpSettings & Pick<ExportOptions, 'process'>) | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** The metrics of a process. */
export interface ProcessMetrics {
  /** The counters of a node of this process. */
  readonly node: NodeMetrics & RequestObserver;
  /** The counters of the workers of this process. */
  readonly worker: WorkerMetrics;
  /** The counters of a canary in this process. */
  readonly slots: SlotCounter;
  /** The port of the listener; undefined if there is none. */
  readonly port: number | undefined;
  /** Returns an engine whose writes are measured. */
  measured(engine: Engine, name: string): Engine;
  addSource(source: GaugeSource): void;
  /** Sends or writes the metrics a last time if they are exported, for at most `limitMs`, and closes the listener. */
  stop(limitMs: number): Promise<void>;
}

/** @throws HoldfastError PORT_IN_USE or BAD_CONFIGURATION if the port cannot be opened. */
export async function startMetrics(options: MetricsOptions): Promise<ProcessMetrics> {
  const { clock, log, tenants, listen, otlp, emf } = options;
  const registry = new Registry({ clock, log, tenants, isExponential: otlp !== undefined });
  const ofProcess = processGauges();
  registry.addSource(ofProcess);
  let node: NodeCounters | undefined;
  let worker: WorkerCounters | undefined;
  let slots: SlotCounts | undefined;
  let listener: MetricsListener | undefined;
  if (listen !== undefined) {
    const pause = (): Promise<void> => new Promise((resolve) => clock.soon(resolve));
    const read = async (): Promise<string> => prometheusText(await registry.collect(), pause);
    const opened = await openMetricsListener({ ...listen, contentType, read, clock, log });
    listener = opened;
    const none = { certificate: 0, network: 0 };
    registry.addSource(
      refusedHeaders(() => [{ listener: 'metrics', forged: opened.forgedHeaders, ...none }]),
    );
  }
  let exporting: MetricsExport | undefined;
  if (otlp !== undefined) {
    const { startExport } = await import('../../telemetry/metrics/otlp/export-metrics.ts');
    exporting = await startExport({ ...otlp, registry, clock, log });
  }
  let emfWriter: EmfWriter | undefined;
  if (emf !== undefined) {
    const { writeEmf } = await import('../../telemetry/metrics/emf/write-emf.ts');
    emfWriter = writeEmf({ ...emf, registry, clock, log });
  }
  return {
    get node() {
      node ??= new NodeCounters(registry);
      return node;
    },
    get worker() {
      worker ??= new WorkerCounters(registry);
      return worker;
    },
    get slots() {
      slots ??= new SlotCounts(registry);
      return slots;
    },
    port: listener?.port,
    measured: (engine, name) => ({
      ...engine,
      store: timedStore(engine.store, name, registry, clock),
      close: () => engine.close(),
    }),
    addSource: (source) => registry.addSource(source),
    async stop(limitMs) {
      await Promise.all([exporting?.stop(limitMs), emfWriter?.stop(limitMs)]);
      ofProcess.stop();
      await listener?.close();
    },
  };
}
