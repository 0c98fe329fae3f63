/**
 * Measures the gaps of a run: how long no handler began anywhere, while a task could run and a worker had a free slot.
 */
import type { TaskEvent } from '../../../src/core/task/event.ts';
import { single } from './contract.ts';
import type { TaskRecord, WorkerRecord } from './judge.ts';
import type { HandlerCall } from './ledger.ts';

export interface Span {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** A time in which a queue was paused. Its tasks could not run. */
export interface Pause extends Span {
  readonly queue: string;
}

export interface Course {
  readonly tasks: readonly TaskRecord[];
  readonly calls: readonly HandlerCall[];
  readonly workers: readonly WorkerRecord[];
  readonly pauses: readonly Pause[];
  readonly poison: string;
}

/** Returns the time from which a task waits for a worker because of this event, or undefined if it does not wait. */
function readyAtMs(event: TaskEvent): number | undefined {
  switch (event.kind) {
    case 'submitted':
    case 'snoozed':
      return event.runAtMs ?? event.atMs;
    case 'failed':
      return event.retryAtMs;
    case 'claimReleased':
      return event.retryAtMs ?? event.atMs;
    case 'leaseExpired':
    case 'redriven':
      return event.atMs;
    default:
      return undefined;
  }
}

/**
 * Returns the times in which a task could run: from when it was ready until its handler began, whether a worker had
 * claimed it or not.
 */
export function runnableSpans({ events }: TaskRecord, calls: readonly HandlerCall[]): Span[] {
  const begins = calls.map(({ beganAtMs }) => beganAtMs).sort((a, b) => a - b);
  const spans: Span[] = [];
  let fromMs: number | undefined;
  const close = (atMs: number): void => {
    if (fromMs !== undefined && atMs > fromMs) spans.push({ fromMs, untilMs: atMs });
    fromMs = undefined;
  };
  for (const event of events) {
    const begunAtMs = fromMs === undefined ? undefined : begins.find((atMs) => atMs >= (fromMs ?? 0));
    if (begunAtMs !== undefined && begunAtMs <= event.atMs) close(begunAtMs);
    if (event.kind === 'succeeded' || event.kind === 'died' || event.kind === 'cancelled') close(event.atMs);
    else fromMs ??= readyAtMs(event);
  }
  const begunAtMs = begins.find((atMs) => fromMs !== undefined && atMs >= fromMs);
  if (fromMs !== undefined) close(begunAtMs ?? Number.POSITIVE_INFINITY);
  return spans;
}

function without(span: Span, pauses: readonly Span[]): Span[] {
  return pauses.reduce<Span[]>(
    (parts, pause) =>
      parts.flatMap(({ fromMs, untilMs }) =>
        [
          { fromMs, untilMs: Math.min(untilMs, pause.fromMs) },
          { fromMs: Math.max(fromMs, pause.untilMs), untilMs },
        ].filter((part) => part.fromMs < part.untilMs),
      ),
    [span],
  );
}

/** A change of the counts at one time. */
interface Step {
  readonly atMs: number;
  readonly runnable: number;
  /** Free slots. */
  readonly free: number;
  readonly begins: boolean;
}

const step = (atMs: number, change: Partial<Step>): Step => ({
  ...{ atMs, runnable: 0, free: 0, begins: false },
  ...change,
});

const never: Span = { fromMs: Number.POSITIVE_INFINITY, untilMs: Number.POSITIVE_INFINITY };

/** Returns the time in which a worker takes tasks: from when it is ready until it is stopped or ends. */
function lifeOf({ readyAtMs: fromMs, stoppedAtMs, end }: WorkerRecord): Span {
  if (fromMs === undefined) return never;
  const stopMs = stoppedAtMs ?? Number.POSITIVE_INFINITY;
  return { fromMs, untilMs: Math.min(stopMs, end?.atMs ?? Number.POSITIVE_INFINITY) };
}

function stepsOf({ tasks, calls, workers, pauses, poison }: Course): Step[] {
  const callsOf = Map.groupBy(calls, ({ id }) => id);
  const lives = new Map(workers.map((worker) => [worker.pid, lifeOf(worker)]));
  const steps: Step[] = [];
  for (const task of tasks) {
    // A task of a limited type may have to wait beside free slots, and so may the poison, which runs alone.
    if (task.type === single.name || task.id === poison) continue;
    const own = pauses.filter(({ queue }) => queue === task.queue);
    for (const span of runnableSpans(task, callsOf.get(task.id) ?? [])) {
      for (const { fromMs, untilMs } of without(span, own)) {
        steps.push(step(fromMs, { runnable: 1 }), step(untilMs, { runnable: -1 }));
      }
    }
  }
  for (const { pid, beganAtMs, end } of calls) {
    steps.push(step(beganAtMs, { begins: true }));
    // A handler that still runs in a worker that was stopped takes no slot: the worker has no free slots any more.
    const life = lives.get(pid) ?? never;
    const fromMs = Math.max(beganAtMs, life.fromMs);
    const untilMs = Math.min(end?.atMs ?? Number.POSITIVE_INFINITY, life.untilMs);
    if (fromMs < untilMs) steps.push(step(fromMs, { free: -1 }), step(untilMs, { free: 1 }));
  }
  for (const { pid, slots } of workers) {
    const { fromMs, untilMs } = lives.get(pid) ?? never;
    if (fromMs < untilMs) steps.push(step(fromMs, { free: slots }), step(untilMs, { free: -slots }));
  }
  return steps.sort((a, b) => a.atMs - b.atMs);
}

/** Returns the gaps in the order of their times. A begin of a handler ends a gap, and the next one may begin there. */
export function gapsOf(course: Course): Span[] {
  const gaps: Span[] = [];
  const steps = stepsOf(course);
  let runnable = 0;
  let free = 0;
  let fromMs: number | undefined;
  for (let i = 0; i < steps.length; ) {
    const { atMs } = steps[i] as Step;
    let begins = false;
    for (; steps[i]?.atMs === atMs; i++) {
      const change = steps[i] as Step;
      runnable += change.runnable;
      free += change.free;
      begins ||= change.begins;
    }
    const isOpen = runnable > 0 && free > 0;
    if (fromMs !== undefined && (begins || !isOpen)) {
      gaps.push({ fromMs, untilMs: atMs });
      fromMs = undefined;
    }
    if (isOpen) fromMs ??= atMs;
  }
  return gaps;
}
