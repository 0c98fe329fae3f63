import { asHoldfastError } from '../../core/errors.ts';
import type { CancelCause } from '../../core/messages.ts';
import type { Clock } from '../../ports/clock.ts';
import type { AttemptContext } from '../context.ts';
import type { Handler, Middleware } from '../contract/handler.ts';
import { type AbortKind, AttemptAborted, retryDirectiveOf } from '../errors.ts';
import type { Transport } from '../transport.ts';
import { Attempt, type ContextParts, HandlerContext, logFields } from './attempt.ts';
import { logFailed, logLost, logNotBegun, logStopped } from './attempt-log.ts';
import { beginAttemptSpan, endAttemptSpan } from './attempt-span.ts';
import type { BufferedAssignment } from './buffered-assignment.ts';
import { inputOf } from './input.ts';
import {
  type AttemptOutcome,
  lost,
  outcomeOfAbort,
  outcomeOfThrown,
  released,
  resultOf,
  returned,
  timedOut,
  unrecordedOutcome,
} from './outcome.ts';
import type { AloneRunner } from './run-alone.ts';

export interface AttemptsEvents extends ContextParts {
  /**
   * Called when an attempt has ended and its slot is free. `outcome` is undefined if the attempt's lease is lost: then
   * nothing is reported to the server.
   */
  ended(attempt: Attempt, outcome: AttemptOutcome | undefined): void;
  /**
   * Called with the time on the monotonic clock at which an attempt reaches a time limit or needs a heartbeat. `expire`
   * must be called at that time.
   */
  due(atMs: number): void;
}

/**
 * Returns the promise after marking its rejection as handled: a middleware that does not await `next()` must not end the
 * process when the handler throws.
 */
function handled(result: Promise<unknown>): Promise<unknown> {
  result.catch(() => {});
  return result;
}

type HandlerCall = (input: unknown, context: AttemptContext) => unknown;

/** Returns the handler's function with the middleware around it. */
function withMiddleware({ run }: Handler, use: readonly Middleware[]): HandlerCall {
  if (use.length === 0) return run;
  return (input, context) => {
    const step = async (i: number): Promise<unknown> => {
      const middleware = use[i];
      return middleware === undefined ? run(input, context) : middleware(context, () => handled(step(i + 1)));
    };
    return step(0);
  };
}

const abortOf: Readonly<Record<StopCause, { readonly kind: AbortKind; readonly message: string }>> = {
  cancelled: { kind: 'cancelled', message: 'The task was cancelled.' },
  deadline: { kind: 'cancelled', message: "The task's deadline has passed." },
  leaseLost: { kind: 'lease-lost', message: 'The lease is lost: the task belongs to another attempt now.' },
  timeout: { kind: 'timeout', message: 'The attempt has reached its timeout.' },
};

/** A cause for which a running attempt must stop. The other causes recall only tasks that have not begun. */
export type StopCause = Exclude<CancelCause, 'paused' | 'rebalance'>;

/**
 * Returns true if this is what a handler throws because a signal was aborted with `reason`: the reason, or an error of
 * Node.js that names it as its cause.
 */
function isCausedBy(reason: AttemptAborted, thrown: unknown): boolean {
  if (thrown === reason) return true;
  try {
    return thrown instanceof Error && thrown.cause === reason;
  } catch {
    return false;
  }
}

/** The runner of tasks that must run alone, and the connection by which their handlers submit tasks. */
export interface RunningAlone {
  readonly runner: AloneRunner;
  readonly transport: Transport;
  /** True once a process could not be started: from then on such tasks run in the worker's own process. */
  hasFailed: boolean;
}

/** The running attempts of a worker, at most one per task. */
export class Attempts {
  readonly #clock: Clock;
  readonly #events: AttemptsEvents;
  readonly #handlerCalls = new Map<Handler, HandlerCall>();
  readonly #running = new Map<string, Attempt>();
  readonly #alone: RunningAlone | undefined;
  #runningHandlers = 0;

  constructor(
    clock: Clock,
    handlers: readonly Handler[],
    use: readonly Middleware[],
    events: AttemptsEvents,
    alone?: RunningAlone,
  ) {
    this.#alone = alone;
    this.#clock = clock;
    this.#events = events;
    for (const handler of handlers) this.#handlerCalls.set(handler, withMiddleware(handler, use));
  }

  get running(): Iterable<Attempt> {
    return this.#running.values();
  }

  /** The number of handlers that run, with those whose attempt has ended: they ignored its signal. */
  get runningHandlers(): number {
    return this.#runningHandlers;
  }

  get(id: string): Attempt | undefined {
    return this.#running.get(id);
  }

  /**
   * Starts an attempt. If `recordsFirst` is true, the handler is called only after the server has recorded, by a
   * heartbeat, that the attempt begins (`recorded`): the server must know of it if this process ends at once. If an earlier
   * attempt of the task still runs here, its lease is lost: it ends first and reports nothing, so that a handler that
   * ignores its signal does not keep the slot.
   */
  start(
    {
      assignment,
      handler,
      receivedAtMs,
    }: Pick<BufferedAssignment, 'assignment' | 'handler' | 'receivedAtMs'>,
    recordsFirst: boolean,
  ): void {
    this.#endPrevious(assignment.id);
    const attempt = new Attempt(assignment, handler, receivedAtMs, this.#clock.monotonic());
    this.#running.set(assignment.id, attempt);
    if (recordsFirst) {
      attempt.awaitsRecord = true;
      attempt.nextHeartbeatAtMs = attempt.startedAtMs;
    }
    this.#events.due(Math.min(attempt.endAtMs, attempt.nextHeartbeatAtMs, attempt.deadlineAtMs));
    if (!recordsFirst) void this.#run(attempt);
  }

  #endPrevious(id: string): void {
    const previous = this.#running.get(id);
    if (previous === undefined) return;
    this.stop(previous, 'leaseLost');
    this.#end(previous, undefined);
  }

  /**
   * Called when a heartbeat of an attempt was recorded. Calls the handler if the attempt has waited for this, unless the
   * deadline of its task has passed meanwhile.
   */
  recorded(attempt: Attempt): void {
    if (!attempt.awaitsRecord || attempt.over) return;
    if (attempt.isTooLate(this.#clock.monotonic())) {
      this.#end(attempt, returned);
      return;
    }
    attempt.awaitsRecord = false;
    void this.#run(attempt);
  }

  /** Aborts an attempt's signal for a cause that the server sent. If the cause is `timeout`, the attempt also ends. */
  stop(attempt: Attempt, cause: StopCause): void {
    if (attempt.over) return;
    if (attempt.awaitsRecord) {
      this.#end(attempt, cause === 'leaseLost' ? undefined : returned);
      return;
    }
    const { kind, message } = abortOf[cause];
    attempt.stopping = true;
    attempt.abort(kind, message);
    const { reason } = attempt;
    if (kind === 'timeout' && reason !== undefined) this.#end(attempt, timedOut(reason));
    else if (kind === 'cancelled') {
      // The lease of a cancelled attempt is not renewed any more. When it ends, the server cancels the task without
      // this attempt.
      attempt.endAtMs = Math.min(attempt.endAtMs, this.#clock.monotonic() + attempt.assignment.leaseMs);
      this.#events.due(attempt.endAtMs);
    }
  }

  /** Gives the task of an attempt back if its handler was not called; an attempt that has begun goes on. */
  recall(attempt: Attempt): void {
    if (!attempt.over && attempt.awaitsRecord) this.#end(attempt, returned);
  }

  /** Aborts `context.stopping` of all attempts. The attempts go on. */
  workerStops(): void {
    const reason = new AttemptAborted('shutdown', 'The worker is stopping.');
    for (const attempt of [...this.#running.values()]) {
      attempt.workerStops(reason);
      if (attempt.awaitsRecord) this.#end(attempt, returned);
    }
  }

  /** Aborts the signals of all attempts. */
  abortAll(kind: AbortKind, message: string): void {
    for (const attempt of [...this.#running.values()]) attempt.abort(kind, message);
  }

  /**
   * Ends all attempts with this outcome, even if their handlers still run. An attempt that has lost its lease reports
   * nothing.
   */
  endAll(outcome: AttemptOutcome): void {
    for (const attempt of [...this.#running.values()]) {
      this.#end(attempt, attempt.reason?.kind === 'lease-lost' ? undefined : outcome);
    }
  }

  /**
   * Ends the attempts that reached their timeout and stops the attempts whose task has passed its deadline. Returns the
   * time at which `expire` must be called next, or undefined if no attempt has a time limit.
   */
  expire(nowMs: number): number | undefined {
    let next = Number.POSITIVE_INFINITY;
    for (const attempt of [...this.#running.values()]) {
      // The worker enforces the deadline itself: the answer to the next heartbeat may come much later.
      if (!attempt.stopping && attempt.deadlineAtMs <= nowMs) this.stop(attempt, 'deadline');
      if (attempt.endAtMs <= nowMs) this.#timeOut(attempt, nowMs);
      else next = Math.min(next, attempt.endAtMs, attempt.stopping ? next : attempt.deadlineAtMs);
    }
    return Number.isFinite(next) ? next : undefined;
  }

  #timeOut(attempt: Attempt, nowMs: number): void {
    if (attempt.awaitsRecord) {
      this.#end(attempt, returned);
      return;
    }
    const message = `The attempt did not end within ${Math.round(nowMs - attempt.startedAtMs)} ms.`;
    attempt.abort('timeout', message);
    const reason = attempt.reason;
    this.#end(attempt, reason === undefined ? undefined : outcomeOfAbort(reason, reason));
  }

  async #run(attempt: Attempt): Promise<void> {
    const { handler, assignment } = attempt;
    const { task } = handler;
    const { tracing, workerName } = this.#events;
    if (tracing.isOn) attempt.span = beginAttemptSpan(tracing, assignment, task.name, workerName);
    this.#runningHandlers++;
    try {
      if (this.#alone?.hasFailed === false && assignment.alone) {
        await this.#runElsewhere(attempt, this.#alone);
        return;
      }
      const input = inputOf(task, assignment.spec);
      const call = this.#handlerCalls.get(handler) as HandlerCall;
      const context = new HandlerContext(attempt, this.#events);
      const ready = input instanceof Promise ? await input : input;
      const { span } = attempt;
      const value = await (span === undefined ? call(ready, context) : span.run(() => call(ready, context)));
      const outcome = resultOf(task, value);
      this.#handleReturned(attempt, outcome instanceof Promise ? await outcome : outcome);
    } catch (thrown) {
      try {
        this.#handleThrown(attempt, thrown);
      } catch (defect) {
        // An attempt that is not ended would keep its slot and its lease, and a rejection here would end the process.
        this.#end(attempt, unrecordedOutcome(asHoldfastError(defect)));
      }
    } finally {
      this.#runningHandlers--;
    }
  }

  /** Runs the handler in a process of its own, and reports how it ended there. */
  async #runElsewhere(attempt: Attempt, alone: RunningAlone): Promise<void> {
    const { runner, transport } = alone;
    const { assignment, handler } = attempt;
    const { name } = handler.task;
    const over = new AbortController();
    attempt.onOver = () => over.abort();
    const traceparent = attempt.span?.traceparent || assignment.traceparent;
    const end = await runner.run({
      // The other process records no span of the attempt: its handler continues the one that this process records.
      assignment: { ...assignment, traceparent, attemptTraceparent: traceparent },
      type: name,
      signal: attempt.signal,
      stopping: attempt.stoppingSignal,
      over: over.signal,
      transport,
      progressed: (progress) => {
        if (attempt.over) return;
        attempt.progress = progress;
        this.#events.progressed(attempt);
      },
    });
    if (attempt.over) return;
    if (end.kind === 'ended') {
      this.#handleReturned(attempt, end.outcome);
      return;
    }
    const isLost = end.kind === 'lost';
    if (!isLost) alone.hasFailed = true;
    (isLost ? logLost : logNotBegun)(this.#events.log, attempt, name, end.how);
    this.#handleReturned(attempt, isLost ? lost(end.how) : returned);
  }

  #handleReturned(attempt: Attempt, outcome: AttemptOutcome | undefined): void {
    if (attempt.over) this.#logLate(attempt);
    // A success counts even if the attempt was asked to stop in the meantime, but not if its lease is lost.
    else this.#end(attempt, attempt.reason?.kind === 'lease-lost' ? undefined : outcome);
  }

  #handleThrown(attempt: Attempt, thrown: unknown): void {
    if (attempt.over) {
      this.#logLate(attempt);
      return;
    }
    const outcome = this.#outcomeOf(attempt, thrown);
    if (outcome !== undefined) this.#logThrown(attempt, thrown, outcome);
    this.#end(attempt, outcome);
  }

  #outcomeOf(attempt: Attempt, thrown: unknown): AttemptOutcome | undefined {
    const { reason, stoppingReason, handler, assignment } = attempt;
    if (reason === undefined && stoppingReason !== undefined && isCausedBy(stoppingReason, thrown))
      return released;
    const own = retryDirectiveOf(thrown) !== undefined;
    return reason === undefined || (reason.kind === 'shutdown' && own)
      ? outcomeOfThrown(handler.task, assignment.attempt, thrown)
      : outcomeOfAbort(reason, thrown);
  }

  #logThrown(attempt: Attempt, thrown: unknown, outcome: AttemptOutcome): void {
    const { handler, reason = attempt.stoppingReason } = attempt;
    const { log } = this.#events;
    const { name } = handler.task;
    if (outcome.outcome === 'snoozed') return;
    const isRequested = outcome.outcome === 'cancelled' || outcome.outcome === 'released';
    if (isRequested && reason !== undefined) logStopped(log, attempt, name, thrown, reason);
    else logFailed(log, attempt, name, thrown, outcome);
  }

  #logLate(attempt: Attempt): void {
    const ms = Math.round(this.#clock.monotonic() - attempt.startedAtMs);
    const fields = { ...logFields(attempt), ms };
    this.#events.log.warn(
      fields,
      'a handler returned after its attempt had ended; handlers should stop when context.signal is aborted',
    );
  }

  #end(attempt: Attempt, outcome: AttemptOutcome | undefined): void {
    if (attempt.over) return;
    attempt.over = true;
    attempt.onOver?.();
    if (attempt.span !== undefined) endAttemptSpan(attempt.span, outcome);
    if (this.#running.get(attempt.assignment.id) === attempt) this.#running.delete(attempt.assignment.id);
    this.#events.ended(attempt, outcome);
  }
}
