import { clipChars } from '../../core/clip.ts';
import { limits } from '../../core/limits.ts';
import type { Assignment } from '../../core/messages.ts';
import { traceIdsOf } from '../../core/submission/traceparent.ts';
import type { Progress } from '../../core/task/head.ts';
import { textOf } from '../../core/untrusted.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Span, Tracing } from '../../ports/tracing.ts';
import type { AttemptContext } from '../context.ts';
import type { Handler } from '../contract/handler.ts';
import type { TaskType } from '../contract/task.ts';
import { type AbortKind, AttemptAborted } from '../errors.ts';
import { type Logger, withFields } from '../log.ts';
import type { ParentTask } from '../submit/build-submission.ts';
import type { Submit } from '../submit/submit-call.ts';
import type { SubmitOptions } from '../submit/submit-options.ts';
import type { SubmittedTask } from '../tasks/task-handle.ts';

/**
 * A worker stops an attempt this long after the task's deadline, so that the server also sees the deadline as passed.
 */
const deadlineGuardMs = 100;

/** The function that submits a child task for a handler. */
export type SubmitChild = (
  task: TaskType,
  input: unknown,
  options: SubmitOptions,
  parent: ParentTask,
) => Promise<SubmittedTask<unknown>>;

/** The state of one running attempt. All times are on the monotonic clock. */
export class Attempt {
  readonly assignment: Assignment;
  readonly handler: Handler;
  readonly startedAtMs: number;
  /** The time at which the attempt is ended even if its handler still runs. */
  endAtMs: number;
  /** The deadline of the task; Infinity if it has none. */
  readonly deadlineAtMs: number;
  /** The time at which the next heartbeat of this attempt is due. */
  nextHeartbeatAtMs: number;
  lastHeartbeatAtMs = Number.NEGATIVE_INFINITY;
  /**
   * True until the store has recorded that the attempt begins, if the task may be tried only once, must run alone or was
   * assigned before without an acknowledgement: the handler is not called before.
   */
  awaitsRecord = false;
  /** Each heartbeat says that the attempt has begun: the handler is called at the latest when that is recorded. */
  readonly begun = true;
  /** Called once the attempt has ended, if its handler runs in another process. */
  onOver: (() => void) | undefined;
  /** True while a heartbeat of this attempt is sent and not answered. */
  heartbeatInFlight = false;
  /** True if heartbeats no longer renew the lease, because the attempt was stopped or its lease is lost. */
  stopping = false;
  /** The progress that the next heartbeat reports. */
  progress: Progress | undefined;
  /** The span of the attempt; undefined before its handler is called, or if its trace is not sampled. */
  span: Span | undefined;
  /** True after the attempt has ended and freed its slot. If its handler still runs, its result is discarded. */
  over = false;
  /** The reason of the abort, once the attempt was aborted. */
  reason: AttemptAborted | undefined;
  /** The reason of `stoppingSignal`, once the worker has begun to drain. */
  stoppingReason: AttemptAborted | undefined;
  #controller: AbortController | undefined;
  #stoppingController: AbortController | undefined;

  constructor(assignment: Assignment, handler: Handler, receivedAtMs: number, startedAtMs: number) {
    const { leaseMs, timeoutMs, deadlineInMs } = assignment;
    this.assignment = assignment;
    this.handler = handler;
    this.startedAtMs = startedAtMs;
    const ownEndMs = startedAtMs + (handler.timeoutMs ?? Number.POSITIVE_INFINITY);
    // The server adds the prefetch time to its own attempt timeout (docs/decisions/003), so the worker's timeout is
    // always reached first.
    this.endAtMs = Math.min(startedAtMs + timeoutMs, ownEndMs);
    this.nextHeartbeatAtMs = receivedAtMs + leaseMs / 3;
    this.deadlineAtMs =
      deadlineInMs === 0 ? Number.POSITIVE_INFINITY : receivedAtMs + deadlineInMs + deadlineGuardMs;
  }

  /** Returns true if the deadline of the task has passed, so that the handler must not be called any more. */
  isTooLate(nowMs: number): boolean {
    return nowMs >= this.deadlineAtMs - deadlineGuardMs;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.reason !== undefined) this.#controller.abort(this.reason);
    }
    return this.#controller.signal;
  }

  /** Aborts the attempt's signal. If the signal is already aborted, it keeps its first reason. */
  abort(kind: AbortKind, message: string): void {
    if (this.reason !== undefined) return;
    this.reason = new AttemptAborted(kind, message);
    this.#controller?.abort(this.reason);
  }

  /** The signal by which a handler learns that its worker drains. The attempt itself goes on. */
  get stoppingSignal(): AbortSignal {
    if (this.#stoppingController === undefined) {
      this.#stoppingController = new AbortController();
      if (this.stoppingReason !== undefined) this.#stoppingController.abort(this.stoppingReason);
    }
    return this.#stoppingController.signal;
  }

  workerStops(reason: AttemptAborted): void {
    this.stoppingReason = reason;
    this.#stoppingController?.abort(reason);
  }
}

/** The parts of a worker that its handlers' contexts use. */
export interface ContextParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly submit: SubmitChild;
  readonly tracing: Tracing;
  /** The name of the worker, for the spans of its attempts. */
  readonly workerName: string;
  /** Called when a handler has reported progress, which may bring the attempt's next heartbeat forward. */
  progressed(attempt: Attempt): void;
}

/** The context that a handler gets. Its log, signal and deadline are created at their first use. */
export class HandlerContext implements AttemptContext {
  readonly #attempt: Attempt;
  readonly #parts: ContextParts;
  #log: Logger | undefined;
  #progressRefused = false;
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
    return traceparentOf(this.#attempt);
  }
  get signal(): AbortSignal {
    return this.#attempt.signal;
  }
  get stopping(): AbortSignal {
    return this.#attempt.stoppingSignal;
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
    if (this.#log === undefined) {
      const fields = {
        ...logFields(this.#attempt),
        type: this.type,
        worker: this.#parts.workerName || undefined,
      };
      this.#log = withFields(this.#parts.log, fields);
    }
    return this.#log;
  }

  progress(fraction: unknown, note: unknown = ''): void {
    if (this.#attempt.over) return;
    // A caller in JavaScript may pass anything. Progress is only information, so it is refused without an error.
    if (typeof fraction !== 'number' || Number.isNaN(fraction)) {
      this.#refuseProgress('the fraction', fraction);
      return;
    }
    if (typeof note !== 'string') this.#refuseProgress('the note', note);
    const kept = typeof note === 'string' ? clipChars(note, limits.progressNoteChars) : '';
    this.#attempt.progress = { fraction: Math.min(1, Math.max(0, fraction)), note: kept };
    this.#parts.progressed(this.#attempt);
  }

  /** Logs the first progress of this attempt that is not sent: a handler may report one in a loop. */
  #refuseProgress(what: string, value: unknown): void {
    if (this.#progressRefused) return;
    this.#progressRefused = true;
    this.log.warn(
      { value: textOf(value, limits.progressNoteChars), value_type: typeof value },
      `${what} of context.progress() was not sent; give a number from 0 to 1 and a text`,
    );
  }

  readonly submit: Submit = (task, input, options = {}) => {
    const { id } = this.#attempt.assignment;
    const { traceparent } = this;
    const submitted = this.#parts.submit(task as unknown as TaskType, input, options, { id, traceparent });
    return submitted as Promise<SubmittedTask<never>>;
  };
}

/** The attempt that a log line names. It has no span before its handler is called, or if its trace is not sampled. */
export interface LoggedAttempt {
  readonly assignment: Assignment;
  readonly span?: Span | undefined;
}

/** Returns the log fields that identify an attempt: task id, queue, attempt number and trace ids. */
export function logFields(one: LoggedAttempt): object {
  const { id, queue, attempt } = one.assignment;
  return { task_id: id, queue, attempt, ...traceIdsOf(traceparentOf(one)) };
}

/** The traceparent of an attempt's span; without one, that of its submission. */
function traceparentOf({ span, assignment }: LoggedAttempt): string {
  return span?.traceparent || assignment.traceparent;
}
