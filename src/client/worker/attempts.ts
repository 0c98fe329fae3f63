import type { CancelCause } from '../../core/messages.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Context } from '../context.ts';
import type { Handler, Middleware } from '../contract/handler.ts';
import { type AbortKind, verdictOf } from '../errors.ts';
import { Attempt, AttemptContext, type ContextParts, logFields } from './attempt.ts';
import { tellFailed, tellStopped } from './failure-log.ts';
import { inputOf } from './input.ts';
import { type AttemptOutcome, outcomeOfAbort, outcomeOfThrown, resultOf, timedOut } from './outcome.ts';
import type { Received } from './slots.ts';

export interface AttemptsEvents extends ContextParts {
  /** Over: its slot is free. Undefined: there is nothing to say. */
  ended(attempt: Attempt, outcome: AttemptOutcome | undefined): void;
  /** Some attempt must be looked at then. */
  due(atMs: number): void;
}

type Call = (input: unknown, context: Context) => unknown;

/** The handler with the middleware around it. */
function around({ run }: Handler, use: readonly Middleware[]): Call {
  if (use.length === 0) return run;
  return (input, context) => {
    const step = async (i: number): Promise<unknown> => {
      const middleware = use[i];
      return middleware === undefined ? run(input, context) : middleware(context, () => step(i + 1));
    };
    return step(0);
  };
}

const stopped: Readonly<Record<CancelCause, { readonly kind: AbortKind; readonly message: string }>> = {
  cancelled: { kind: 'cancelled', message: 'The task was cancelled.' },
  deadline: { kind: 'cancelled', message: "The task's deadline has passed." },
  leaseLost: { kind: 'lease-lost', message: 'The lease is lost: another attempt counts now.' },
  timeout: { kind: 'timeout', message: "The attempt's time is over." },
};

/** The attempts that run, by task. */
export class Attempts {
  readonly #clock: Clock;
  readonly #events: AttemptsEvents;
  readonly #calls = new Map<Handler, Call>();
  readonly #running = new Map<string, Attempt>();

  constructor(
    clock: Clock,
    handlers: readonly Handler[],
    use: readonly Middleware[],
    events: AttemptsEvents,
  ) {
    this.#clock = clock;
    this.#events = events;
    for (const handler of handlers) this.#calls.set(handler, around(handler, use));
  }

  get running(): Iterable<Attempt> {
    return this.#running.values();
  }

  get(id: string): Attempt | undefined {
    return this.#running.get(id);
  }

  start({ assignment, handler, receivedAtMs }: Received): void {
    const before = this.#running.get(assignment.id);
    if (before !== undefined) this.stop(before, 'leaseLost');
    const attempt = new Attempt(assignment, handler, receivedAtMs, this.#clock.monotonic());
    this.#running.set(assignment.id, attempt);
    this.#events.due(Math.min(attempt.endAtMs, attempt.beatAtMs, attempt.deadlineAtMs));
    void this.#run(attempt);
  }

  /** The server said so. */
  stop(attempt: Attempt, cause: CancelCause): void {
    if (attempt.over) return;
    const { kind, message } = stopped[cause];
    attempt.stopping = true;
    attempt.abort(kind, message);
    const { reason } = attempt;
    if (kind === 'timeout' && reason !== undefined) this.#end(attempt, timedOut(reason));
    else if (kind === 'cancelled') {
      // Nothing renews the lease any more: when it ends the task is ended without this attempt.
      attempt.endAtMs = Math.min(attempt.endAtMs, this.#clock.monotonic() + attempt.assignment.leaseMs);
      this.#events.due(attempt.endAtMs);
    }
  }

  /** Asks all to stop. */
  abortAll(kind: AbortKind, message: string): void {
    for (const attempt of this.#running.values()) attempt.abort(kind, message);
  }

  /** Ends all, whatever their handlers do. */
  endAll(outcome: AttemptOutcome): void {
    for (const attempt of [...this.#running.values()]) {
      this.#end(attempt, attempt.reason?.kind === 'lease-lost' ? undefined : outcome);
    }
  }

  /** Ends the attempts whose time is over, asks those past their deadline to stop; when the next one's time is. */
  expire(nowMs: number): number | undefined {
    let next = Number.POSITIVE_INFINITY;
    for (const attempt of [...this.#running.values()]) {
      // Known here as well as there: the next heartbeat's answer may be long in coming.
      if (!attempt.stopping && attempt.deadlineAtMs <= nowMs) this.stop(attempt, 'deadline');
      if (attempt.endAtMs <= nowMs) this.#expire(attempt, nowMs);
      else next = Math.min(next, attempt.endAtMs, attempt.stopping ? next : attempt.deadlineAtMs);
    }
    return Number.isFinite(next) ? next : undefined;
  }

  #expire(attempt: Attempt, nowMs: number): void {
    const told = `The attempt did not end within ${Math.round(nowMs - attempt.startedAtMs)} ms.`;
    attempt.abort('timeout', told);
    const reason = attempt.reason;
    this.#end(attempt, reason === undefined ? undefined : outcomeOfAbort(reason, reason));
  }

  async #run(attempt: Attempt): Promise<void> {
    const { handler, assignment } = attempt;
    const { task } = handler;
    try {
      const input = inputOf(task, assignment.spec);
      const call = this.#calls.get(handler) as Call;
      const context = new AttemptContext(attempt, this.#events);
      const value = await call(input instanceof Promise ? await input : input, context);
      const outcome = resultOf(task, value);
      this.#returned(attempt, outcome instanceof Promise ? await outcome : outcome);
    } catch (thrown) {
      this.#threw(attempt, thrown);
    }
  }

  #returned(attempt: Attempt, outcome: AttemptOutcome): void {
    if (attempt.over) this.#late(attempt);
    // A success before the forced end counts, whatever was asked for meanwhile; but not without the lease.
    else this.#end(attempt, attempt.reason?.kind === 'lease-lost' ? undefined : outcome);
  }

  #threw(attempt: Attempt, thrown: unknown): void {
    if (attempt.over) {
      this.#late(attempt);
      return;
    }
    const { reason, handler, assignment } = attempt;
    const own = verdictOf(thrown) !== undefined;
    const outcome =
      reason === undefined || (reason.kind === 'shutdown' && own)
        ? outcomeOfThrown(handler.task, assignment.attempt, thrown)
        : outcomeOfAbort(reason, thrown);
    if (outcome !== undefined) this.#tell(attempt, thrown, outcome);
    this.#end(attempt, outcome);
  }

  #tell({ assignment, handler, reason }: Attempt, thrown: unknown, outcome: AttemptOutcome): void {
    const { log } = this.#events;
    const { name } = handler.task;
    if (outcome.outcome === 'snoozed') return;
    const isAsked = outcome.outcome === 'cancelled' || outcome.outcome === 'released';
    if (isAsked && reason !== undefined) tellStopped(log, assignment, name, thrown, reason);
    else tellFailed(log, assignment, name, thrown, outcome);
  }

  #late(attempt: Attempt): void {
    const ms = Math.round(this.#clock.monotonic() - attempt.startedAtMs);
    const fields = { ...logFields(attempt.assignment), ms };
    this.#events.log.warn(fields, 'a handler ended after its attempt was over; heed ctx.signal');
  }

  #end(attempt: Attempt, outcome: AttemptOutcome | undefined): void {
    if (attempt.over) return;
    attempt.over = true;
    if (this.#running.get(attempt.assignment.id) === attempt) this.#running.delete(attempt.assignment.id);
    this.#events.ended(attempt, outcome);
  }
}
