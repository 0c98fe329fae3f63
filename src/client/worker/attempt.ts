import { limits } from '../../core/limits.ts';
import type { Assignment } from '../../core/messages.ts';
import type { Progress } from '../../core/task/head.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Context } from '../context.ts';
import type { Handler } from '../contract/handler.ts';
import type { Task } from '../contract/task.ts';
import { type AbortKind, AttemptAborted } from '../errors.ts';
import { type Logger, withFields } from '../log.ts';
import type { Parent } from '../submit/build-submission.ts';
import type { Submit } from '../submit/submit-call.ts';
import type { SubmitOptions } from '../submit/submit-options.ts';
import type { SubmittedTask } from '../tasks/task-handle.ts';

const deadlineGuardMs = 100;

export type SubmitChild = (
  task: Task,
  input: unknown,
  options: SubmitOptions,
  parent: Parent,
) => Promise<SubmittedTask<unknown>>;

/** One attempt under way. Times are on the monotonic clock. */
export class Attempt {
  readonly assignment: Assignment;
  readonly handler: Handler;
  readonly startedAtMs: number;
  /** Over by then, whatever the handler does. */
  endAtMs: number;
  /** The task's own deadline; Infinity: it has none. */
  readonly deadlineAtMs: number;
  beatAtMs: number;
  lastBeatAtMs = Number.NEGATIVE_INFINITY;
  /** A heartbeat is on its way. */
  beating = false;
  /** The lease is not renewed any more: it was told to stop, or is lost. */
  stopping = false;
  /** Not yet told. */
  progress: Progress | undefined;
  /** Its slot was given back; what the handler still does counts for nothing. */
  over = false;
  reason: AttemptAborted | undefined;
  #controller: AbortController | undefined;

  constructor(assignment: Assignment, handler: Handler, receivedAtMs: number, startedAtMs: number) {
    const { leaseMs, timeoutMs, deadlineInMs } = assignment;
    this.assignment = assignment;
    this.handler = handler;
    this.startedAtMs = startedAtMs;
    const ownEndMs = startedAtMs + (handler.timeoutMs ?? Number.POSITIVE_INFINITY);
    // The server gives the time of a prefetch on top (docs/decisions/003), so this end always comes first.
    this.endAtMs = Math.min(startedAtMs + timeoutMs, ownEndMs);
    this.beatAtMs = receivedAtMs + leaseMs / 3;
    // A little late, so that the server sees it passed when it is told.
    this.deadlineAtMs =
      deadlineInMs === 0 ? Number.POSITIVE_INFINITY : receivedAtMs + deadlineInMs + deadlineGuardMs;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.reason !== undefined) this.#controller.abort(this.reason);
    }
    return this.#controller.signal;
  }

  /** The first reason stands. */
  abort(kind: AbortKind, message: string): void {
    if (this.reason !== undefined) return;
    this.reason = new AttemptAborted(kind, message);
    this.#controller?.abort(this.reason);
  }
}

export interface ContextParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly submit: SubmitChild;
  /** The attempt's next heartbeat may have come nearer. */
  progressed(attempt: Attempt): void;
}

/** What the handler sees of its attempt; what costs something is made when it is asked for. */
export class AttemptContext implements Context {
  readonly #attempt: Attempt;
  readonly #parts: ContextParts;
  #log: Logger | undefined;
  #deadline: Date | undefined;

  constructor(attempt: Attempt, parts: ContextParts) {
    this.#attempt = attempt;
    this.#parts = parts;
  }

  get id(): string {
    return this.#attempt.assignment.id;
  }
  get type(): string {
    return this.#attempt.handler.task.name;
  }
  get queue(): string {
    return this.#attempt.assignment.queue;
  }
  get attempt(): number {
    return this.#attempt.assignment.attempt;
  }
  get maxAttempts(): number {
    return this.#attempt.assignment.maxAttempts;
  }
  get idempotencyKey(): string {
    return this.#attempt.assignment.key;
  }
  get fencingToken(): number {
    return this.#attempt.assignment.fencingToken;
  }
  get tags(): readonly string[] {
    return this.#attempt.assignment.tags;
  }
  get traceparent(): string {
    return this.#attempt.assignment.traceparent;
  }
  get signal(): AbortSignal {
    return this.#attempt.signal;
  }

  get deadline(): Date {
    if (this.#deadline === undefined) {
      const { clock } = this.#parts;
      const { endAtMs, startedAtMs, assignment } = this.#attempt;
      const untilEndMs = endAtMs - clock.monotonic();
      const sinceStartMs = clock.monotonic() - startedAtMs;
      const untilDeadlineMs =
        assignment.deadlineInMs === 0 ? Number.POSITIVE_INFINITY : assignment.deadlineInMs - sinceStartMs;
      this.#deadline = new Date(Math.round(clock.now() + Math.min(untilEndMs, untilDeadlineMs)));
    }
    return this.#deadline;
  }

  get log(): Logger {
    this.#log ??= withFields(this.#parts.log, logFields(this.#attempt.assignment));
    return this.#log;
  }

  progress(fraction: number, note = ''): void {
    if (this.#attempt.over || Number.isNaN(fraction)) return;
    const told = { fraction: Math.min(1, Math.max(0, fraction)), note: clipped(note) };
    this.#attempt.progress = told;
    this.#parts.progressed(this.#attempt);
  }

  readonly submit: Submit = (task, input, options = {}) => {
    const { id, traceparent } = this.#attempt.assignment;
    const submitted = this.#parts.submit(task as unknown as Task, input, options, { id, traceparent });
    return submitted as Promise<SubmittedTask<never>>;
  };
}

function clipped(note: string): string {
  return note.slice(0, limits.progressNoteChars).toWellFormed();
}

export function logFields({ id, queue, attempt, traceparent }: Assignment): object {
  const [, traceId, spanId] = traceparent.split('-');
  return {
    task_id: id,
    queue,
    attempt,
    ...(traceId !== undefined && { trace_id: traceId, span_id: spanId }),
  };
}
