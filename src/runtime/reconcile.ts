import { type Backoff, nextBackoff } from '../core/backoff.ts';
import { type QueueRef, queueKey } from '../core/queue-ref.ts';
import type { ServiceContext } from '../service/context.ts';
import { hourMs } from '../service/redrive/reconcile-notes.ts';
import {
  firstScheduled,
  lastScheduled,
  passes,
  type ScheduledPass,
} from '../service/redrive/reconcile-schedule.ts';
import { FailedTasks } from './failed-tasks.ts';
import { firstPass, laterPass, type PassContext, retryFailed } from './reconcile-pass.ts';

const minuteMs = 60_000;

const kind = 'reconciled';

const queueBackoffRange = { firstMs: minuteMs, longestMs: 64 * minuteMs } as const;

/** Backs off from queues that could not be reconciled, so that they do not delay the other queues. */
export class QueueBackoff {
  readonly #queues = new Map<string, Backoff>();

  isBackedOff(name: string, nowMs: number): boolean {
    return (this.#queues.get(name)?.untilMs ?? 0) > nowMs;
  }

  failed(name: string, nowMs: number): void {
    const before = this.#queues.get(name);
    this.#queues.set(name, nextBackoff(before, nowMs, queueBackoffRange));
  }

  succeeded(name: string): void {
    this.#queues.delete(name);
  }
}

export interface ReconcileOptions {
  /** Returns true for a queue that this node reconciles. Default: the node reconciles all queues. */
  readonly isMine?: (queue: QueueRef) => boolean;
  /**
   * The backoff of queues that could not be reconciled, kept from one round to the next. Default: nothing is remembered.
   */
  readonly queueBackoff?: QueueBackoff;
  /** The tasks that could not be reconciled, kept from one round to the next. Default: nothing is remembered. */
  readonly failedTasks?: FailedTasks;
  /**
   * Called while the round of the reconciler makes progress, so that the watchdog does not take a long round for a stuck
   * one.
   */
  readonly alive?: () => void;
}

type Markers = ReadonlyMap<string, { readonly value: unknown; readonly rev: number }>;

/**
 * Runs one reconcile pass (a search for unfinished tasks of a certain age) over one queue if the pass is due. Returns
 * false if the pass was stopped before its end.
 */
async function runPassIfDue(schedule: ScheduledPass, pass: PassContext, markers: Markers): Promise<boolean> {
  const { context, queue } = pass;
  const key = `${schedule.name}/${queueKey(queue)}`;
  const marker = markers.get(key);
  const fromMs = typeof marker?.value === 'number' ? marker.value : 0;
  const untilMs = context.clock.now() - schedule.ageMs;
  if (untilMs < fromMs + schedule.everyMs) return true;
  const range = { fromMs, untilMs };
  const examined =
    schedule === firstScheduled
      ? await firstPass(pass, range)
      : await laterPass(pass, range, schedule === lastScheduled);
  if (examined === undefined) return false;
  // A range of acceptance times that is shorter than an hour and has no tasks is examined again next time. This costs
  // less than to write into the registry how far the pass has come.
  if (examined === 0 && untilMs - fromMs < hourMs) return true;
  await context.registry.put(kind, key, untilMs, marker?.rev ?? 'absent');
  return true;
}

/**
 * Runs every due reconcile pass over one queue, then retries the queue's failed tasks. A pass that fails does not keep
 * the other passes from running. Returns false if a pass was stopped before its end.
 */
async function reconcileQueue(
  pass: PassContext,
  markers: Markers,
  isMine: (queue: QueueRef) => boolean,
): Promise<boolean> {
  const { queue, signal, failedTasks } = pass;
  const failures: unknown[] = [];
  // The last reconcile pass runs first, because the first pass may overwrite an old note of unfinished tasks that the
  // last pass has yet to read.
  for (const schedule of passes.toReversed()) {
    if (signal.aborted) return false;
    // Before each reconcile pass the node checks that it still reconciles the queue, because the queue may have moved to
    // another node during the previous pass.
    if (!isMine(queue)) {
      failedTasks.forgetQueue(queue);
      return true;
    }
    try {
      if (!(await runPassIfDue(schedule, pass, markers))) return false;
    } catch (err) {
      failures.push(err);
    }
  }
  await retryFailed(pass);
  if (failures.length > 0) throw failures[0];
  return true;
}

/**
 * Runs one round of the reconciler, which sends again any dispatch message that a crash has lost. The reconciler examines
 * each task at the age of 10 minutes and, if the task was unfinished then, at the ages of a day and 13 days and just
 * after the default lifetime. A task that is unfinished even then, and a redriven task, is examined as if it had been
 * submitted at that time, and so on. The registry remembers for each queue up to which time each pass has come.
 */
export async function reconcile(
  context: ServiceContext,
  signal: AbortSignal,
  options: ReconcileOptions = {},
): Promise<boolean> {
  const { isMine = () => true, queueBackoff = new QueueBackoff(), alive = () => {} } = options;
  const { failedTasks = new FailedTasks() } = options;
  const markers = new Map((await context.registry.list(kind, '')).map((marker) => [marker.key, marker]));
  for (const queue of context.queues.all()) {
    const name = queueKey(queue);
    if (queueBackoff.isBackedOff(name, context.clock.now())) continue;
    try {
      if (!(await reconcileQueue({ context, queue, signal, failedTasks, alive }, markers, isMine)))
        return false;
      queueBackoff.succeeded(name);
    } catch (err) {
      queueBackoff.failed(name, context.clock.now());
      const fields = { err, tenant: queue.tenant, queue: queue.queue };
      context.log.warn(fields, 'could not reconcile a queue; the reconciler goes on with the other queues');
    }
  }
  return false;
}
