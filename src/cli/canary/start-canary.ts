import { silent } from '../../client/log.ts';
import { connect } from '../../index.ts';
import { systemClock } from '../../platform/clock.ts';
import { defaultLog } from '../../platform/log.ts';
import { listenForScrapes } from './counts-listener.ts';
import { canaryTask, retryForMs, taskProbe, workCanaryTasks } from './probe.ts';
import { runSlots } from './run-slots.ts';
import { SlotCounts } from './slot-counts.ts';
import { SlotLog } from './slot-log.ts';

export interface CanaryOptions {
  readonly url: string | undefined;
  readonly queue: string;
  readonly slotMs: number;
  readonly metricsHost: string;
  /** The port of the counts; undefined: they are not served. */
  readonly metricsPort: number | undefined;
}

export interface Canary {
  readonly metricsPort: number | undefined;
  /** Ends the probes and the connection. Takes at most a second, whatever the server does. */
  stop(): Promise<void>;
}

const stopMs = 1_000;

/** Starts the probes and their worker. It does not wait for the server: slots without one are bad. */
export async function startCanary(options: CanaryOptions): Promise<Canary> {
  const { url, queue, slotMs, metricsHost, metricsPort } = options;
  const clock = systemClock();
  const slotLog = new SlotLog(clock, defaultLog());
  const counter = new SlotCounts();
  const listener =
    metricsPort === undefined
      ? undefined
      : await listenForScrapes(metricsHost, metricsPort, () => counter.text());
  const task = canaryTask(queue);
  // The client would log each call that it tries again; the canary logs its bad slots, at most once a minute.
  const client = connect(url, { log: silent, retryFor: retryForMs(slotMs) });
  const stopping = new AbortController();
  const { signal } = stopping;
  const onRefusal = (error: unknown): void => slotLog.refused(error);
  const working = workCanaryTasks(client, task, { clock, retryMs: slotMs, signal, onRefusal });
  const probe = taskProbe(client, task);
  const probing = runSlots({ clock, slotMs, probe, counter, onEnd: (end) => slotLog.ended(end), signal });
  return {
    metricsPort: listener?.port,
    async stop() {
      stopping.abort();
      listener?.close();
      const ended = Promise.all([probing, working]).then(() => client.close());
      await Promise.race([ended, clock.sleep(stopMs)]);
    },
  };
}
