import type { Client } from '../../client/client.ts';
import { defineWorker, handle } from '../../client/contract/handler.ts';
import { defineTask, typed } from '../../client/contract/task.ts';
import { TaskFailedError } from '../../client/errors.ts';
import { asHoldfastError, type HoldfastError } from '../../core/errors.ts';
import type { SlotResult } from '../../core/objectives/slot-results.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Probe, ProbeEnd } from './run-slots.ts';

/** The share of a slot for which a submission is retried; the rest is left for its error to arrive within the slot. */
const retryShare = 0.8;
/** The number of canary tasks that run at one time: tasks of earlier slots must not delay the present one. */
const concurrency = 4;
/** How long the running tasks of a stopping canary may take. */
const drainMs = 500;

/** Returns how long the client of a canary may retry a call. */
export function retryForMs(slotMs: number): number {
  return Math.round(slotMs * retryShare);
}

/** Returns the task type of a canary: the slot goes in and comes back. Its tasks are kept no longer than needed. */
export function canaryTask(queue: string) {
  return defineTask('holdfast-canary', {
    queue,
    timeout: '10s',
    input: typed<{ slot: number }>(),
    output: typed<{ slot: number }>(),
  });
}

export type CanaryTask = ReturnType<typeof canaryTask>;

/** Returns a probe that submits a task and awaits its result. */
export function taskProbe(client: Client, task: CanaryTask): Probe {
  return async (slot, signal) => {
    try {
      // The task has no deadline, because a late task is not a dead one.
      const submitted = await client.submit(task, { slot }, { retention: 0, window: '1m', lifetime: '1h' });
      const result = await submitted.result({ signal });
      return { result: result.slot === slot ? 'good' : 'failed' };
    } catch (thrown) {
      return signal.aborted ? { result: 'late' } : endOf(thrown);
    }
  };
}

function endOf(thrown: unknown): ProbeEnd {
  if (thrown instanceof TaskFailedError) return { result: 'failed', error: thrown };
  const error = asHoldfastError(thrown);
  return { result: resultOf(error), error };
}

function resultOf({ code, reason }: HoldfastError): SlotResult {
  if (reason === 'UNREACHABLE' || code === 'UNAVAILABLE') return 'unreachable';
  if (code === 'DEADLINE_EXCEEDED') return 'late';
  return code === 'INTERNAL' ? 'failed' : 'refused';
}

/**
 * Works the canary's tasks until the signal is aborted. A worker that the server has refused is started again after the
 * given wait, so that a permission that is granted later takes effect without a restart.
 */
export async function workCanaryTasks(
  client: Client,
  task: CanaryTask,
  options: {
    readonly clock: Clock;
    readonly retryMs: number;
    readonly signal: AbortSignal;
    readonly onRefusal: (error: unknown) => void;
  },
): Promise<void> {
  const { clock, retryMs, signal, onRefusal } = options;
  const worker = defineWorker({ concurrency, handlers: [handle(task, ({ slot }) => ({ slot }))] });
  while (!signal.aborted) {
    try {
      const running = await client.work(worker);
      const drain = (): void => void running.drain({ timeout: drainMs });
      signal.addEventListener('abort', drain, { once: true });
      if (signal.aborted) drain();
      await running.done.finally(() => signal.removeEventListener('abort', drain));
    } catch (error) {
      if (!signal.aborted) onRefusal(error);
    }
    await clock.sleep(retryMs, signal);
  }
}
