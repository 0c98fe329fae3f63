import { defaults } from '../core/limits.ts';
import type { QueueRef } from '../ports/task-store.ts';
import { queueKey } from '../service/admin/queue-settings.ts';
import type { ServiceContext } from '../service/context.ts';
import { hourMs } from '../service/redrive/reconcile-notes.ts';
import { UnhelpedTasks } from './failed-tasks.ts';
import { nextPause, type Pause } from './growing-pause.ts';
import { type Looking, lookAgain, lookAtUnhelped, lookFirst } from './reconcile-pass.ts';

const minuteMs = 60_000;
const dayMs = 1_440 * minuteMs;

interface ScheduledLook {
  readonly name: string;
  /** How old a submission is when it is looked at; the last look is just after its default lifetime. */
  readonly ageMs: number;
  /** How often the look moves on. */
  readonly everyMs: number;
}

const first: ScheduledLook = { name: '10m', ageMs: 10 * minuteMs, everyMs: minuteMs };
const last: ScheduledLook = { name: 'lifetime', ageMs: defaults.lifetimeMs + minuteMs, everyMs: minuteMs };
export const looks: readonly ScheduledLook[] = [
  first,
  { name: '1d', ageMs: dayMs, everyMs: hourMs },
  { name: '13d', ageMs: 13 * dayMs, everyMs: hourMs },
  last,
];
const kind = 'reconciled';

const restRange = { firstMs: minuteMs, longestMs: 64 * minuteMs } as const;

/** Queues that could not be read: they keep nobody else from being looked at. */
export class Resting {
  readonly #queues = new Map<string, Pause>();

  has(name: string, nowMs: number): boolean {
    return (this.#queues.get(name)?.untilMs ?? 0) > nowMs;
  }

  failed(name: string, nowMs: number): void {
    const before = this.#queues.get(name);
    this.#queues.set(name, nextPause(before, nowMs, restRange));
  }

  worked(name: string): void {
    this.#queues.delete(name);
  }
}

export interface ReconcileOptions {
  /** Where nodes share a store, each looks at its own queues. Default: all. */
  readonly isMine?: (queue: QueueRef) => boolean;
  /** Both kept from one round to the next. Default: nothing is remembered. */
  readonly resting?: Resting;
  readonly unhelped?: UnhelpedTasks;
  /** Told while it goes on, however long it takes. */
  readonly alive?: () => void;
}

type Markers = ReadonlyMap<string, { readonly value: unknown; readonly rev: number }>;

/** One look at one queue, where it is due; false: it was stopped. */
async function lookIfDue(look: ScheduledLook, looking: Looking, markers: Markers): Promise<boolean> {
  const { context, queue } = looking;
  const key = `${look.name}/${queueKey(queue)}`;
  const marker = markers.get(key);
  const fromMs = typeof marker?.value === 'number' ? marker.value : 0;
  const untilMs = context.clock.now() - look.ageMs;
  if (untilMs < fromMs + look.everyMs) return true;
  const range = { fromMs, untilMs };
  const looked =
    look === first ? await lookFirst(looking, range) : await lookAgain(looking, range, look === last);
  if (looked === undefined) return false;
  // Where nothing was, looking there again costs less than a note of it.
  if (looked === 0 && untilMs - fromMs < hourMs) return true;
  await context.registry.put(kind, key, untilMs, marker?.rev ?? 'absent');
  return true;
}

/** Every look at one queue that is due, whatever happens to one of them; false: it was stopped. */
async function lookAtQueue(
  looking: Looking,
  markers: Markers,
  isMine: (queue: QueueRef) => boolean,
): Promise<boolean> {
  const { queue, signal, unhelped } = looking;
  const failures: unknown[] = [];
  // The last one first: what it still has to read, the first may write over once it is as far.
  for (const look of looks.toReversed()) {
    if (signal.aborted) return false;
    // Asked anew each time: a look takes long, and nodes come and go.
    if (!isMine(queue)) {
      unhelped.forget(queue);
      return true;
    }
    try {
      if (!(await lookIfDue(look, looking, markers))) return false;
    } catch (err) {
      failures.push(err);
    }
  }
  await lookAtUnhelped(looking);
  if (failures.length > 0) throw failures[0];
  return true;
}

/**
 * Looks at each submission when it is 10 minutes old and, where it was unfinished then, when it is a day and 13 days
 * old and just after its default lifetime, so that a bell lost by any crash is rung again. What is unfinished even then,
 * and what was redriven, is looked at as if it had been submitted at that time, and so on. How far each look has come is
 * remembered per queue.
 */
export async function reconcile(
  context: ServiceContext,
  signal: AbortSignal,
  options: ReconcileOptions = {},
): Promise<boolean> {
  const { isMine = () => true, resting = new Resting(), alive = () => {} } = options;
  const { unhelped = new UnhelpedTasks() } = options;
  const markers = new Map((await context.registry.list(kind, '')).map((marker) => [marker.key, marker]));
  for (const queue of context.queues.all()) {
    const name = queueKey(queue);
    if (resting.has(name, context.clock.now())) continue;
    try {
      if (!(await lookAtQueue({ context, queue, signal, unhelped, alive }, markers, isMine))) return false;
      resting.worked(name);
    } catch (err) {
      resting.failed(name, context.clock.now());
      const fields = { err, tenant: queue.tenant, queue: queue.queue };
      context.log.warn(fields, 'could not look after all tasks of a queue; the other queues go on');
    }
  }
  return false;
}
