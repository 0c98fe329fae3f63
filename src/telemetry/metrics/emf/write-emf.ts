import type { Clock } from '../../../ports/clock.ts';
import type { Log } from '../../../ports/log.ts';
import type { Registry } from '../registry.ts';
import { EmfLines } from './emf-lines.ts';
import { emfValues } from './emf-values.ts';
import { emfEveryMs } from './names.ts';

export interface EmfOptions {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Log;
  /** The namespace of the metrics in CloudWatch. */
  readonly namespace: string;
  /** Writes a line to where the log driver reads: standard output. */
  readonly write: (line: string) => void;
}

export interface EmfWriter {
  /** Writes a last time, for at most `limitMs`, so that the counts of a process that ends are not lost. */
  stop(limitMs: number): Promise<void>;
}

/** Writes the metrics for CloudWatch once a minute. */
export function writeEmf({ registry, clock, log, namespace, write }: EmfOptions): EmfWriter {
  const lines = new EmfLines(namespace);
  const stopping = new AbortController();
  const writeOnce = async (): Promise<void> => {
    try {
      for (const line of lines.of(emfValues(await registry.collect()), clock.now())) write(`${line}\n`);
    } catch (err) {
      log.warn({ err }, 'could not write the metrics for CloudWatch; trying again in a minute');
    }
  };
  const run = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(emfEveryMs, stopping.signal);
      if (stopping.signal.aborted) return;
      await writeOnce();
    }
  };
  const running = run();
  return {
    async stop(limitMs) {
      stopping.abort();
      const over = new AbortController();
      await Promise.race([running.then(writeOnce), clock.sleep(limitMs, over.signal)]);
      over.abort();
    },
  };
}
