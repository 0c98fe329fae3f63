import { silent } from '../../client/log.ts';
import type { SlotCounter } from '../../core/objectives/slot-results.ts';
import { connect } from '../../index.ts';
import type { ProcessMetrics } from '../../node/metrics/start-metrics.ts';
import { systemClock } from '../../platform/clock.ts';
import { defaultLog } from '../../platform/log.ts';
import type { ServerOptions } from '../connection/connect.ts';
import type { MetricsFlags } from '../metrics-options.ts';
import { startTelemetry } from '../start-telemetry.ts';
import { canaryTask, retryForMs, taskProbe, workCanaryTasks } from './probe.ts';
import { type ProbeEnd, runSlots } from './run-slots.ts';
import { SlotLog } from './slot-log.ts';

export interface CanaryOptions {
  readonly server: ServerOptions;
  readonly queue: string;
  readonly slotMs: number;
  readonly metrics: MetricsFlags;
  /** The number of slots after which the probes end. Undefined: they go on until `stop`. */
  readonly slots?: number | undefined;
}

export interface Canary {
  /** Undefined if the counts are neither shown nor exported. */
  readonly metrics: ProcessMetrics | undefined;
  /** Resolves with the counts of the slots when the probes have ended. A slot during which this process stood still is bad. */
  readonly ended: Promise<SlotCounts>;
  /** Ends the probes and the connection. Takes at most 1.3 s, whatever the server and a collector do. */
  stop(): Promise<void>;
}

export interface SlotCounts {
  readonly good: number;
  readonly bad: number;
}

const stopMs = 1_000;
const notCounted: SlotCounter = { count() {} };

/** Starts the probes and their worker. It does not wait for the server: slots without one are bad. */
export async function startCanary(options: CanaryOptions): Promise<Canary> {
  const { server, queue, slotMs } = options;
  const clock = systemClock();
  const log = defaultLog();
  const slotLog = new SlotLog(clock, log);
  const telemetry = await startTelemetry({
    ...{ clock, log, serviceName: 'holdfast-canary', metrics: options.metrics },
  });
  const { metrics } = telemetry;
  const counts = { good: 0, bad: 0 };
  const shown = metrics?.slots ?? notCounted;
  const counter: SlotCounter = {
    count(result, slots) {
      counts[result === 'good' ? 'good' : 'bad'] += slots;
      shown.count(result, slots);
    },
  };
  const task = canaryTask(queue);
  // The client would log each call that it tries again; the canary logs its bad slots, at most once a minute.
  const client = connect(server.url, { tls: server.tls, log: silent, retryFor: retryForMs(slotMs) });
  const stopping = new AbortController();
  const { signal } = stopping;
  const onRefusal = (error: unknown): void => slotLog.refused(error);
  const working = workCanaryTasks(client, task, { clock, retryMs: slotMs, signal, onRefusal });
  const probe = taskProbe(client, task);
  const onEnd = (end: ProbeEnd): void => slotLog.ended(end);
  const probing = runSlots({ clock, slotMs, probe, counter, onEnd, signal, slots: options.slots });
  return {
    metrics,
    ended: probing.then(() => counts),
    async stop() {
      stopping.abort();
      const ended = Promise.all([probing, working]).then(() => client.close());
      await Promise.race([ended, clock.sleep(stopMs)]);
      await telemetry.stop();
    },
  };
}
