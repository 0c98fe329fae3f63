import { peekSpec } from '../../core/codec/spec.ts';
import type { HoldfastError } from '../../core/errors.ts';
import { timing } from '../../core/limits.ts';
import type { Assignment, CancelCause, SettleResult } from '../../core/messages.ts';
import type { Clock } from '../../ports/clock.ts';
import { errorOf } from '../backoff.ts';
import { type Duration, durationMs } from '../duration.ts';
import type { Handler, WorkerSpec } from '../handler.ts';
import type { Logger } from '../log.ts';
import type { Transport } from '../transport.ts';
import { Alarm } from './alarm.ts';
import { type Attempt, logFields, type SubmitChild } from './attempt.ts';
import { Attempts } from './attempts.ts';
import { Credits, roomFor } from './credits.ts';
import { Heartbeats } from './heartbeats.ts';
import { Intake } from './intake.ts';
import { type AttemptOutcome, released } from './outcome.ts';
import { Prefetch } from './prefetch.ts';
import { ReportLink } from './report-link.ts';
import { Settlements } from './settlements.ts';
import { type Room, refusedWorker, WorkLink } from './work-link.ts';

/** A worker under way. Disposing of it drains it. */
export interface Running extends AsyncDisposable {
  /** Resolves when it has stopped; rejects where the server does not take this worker. */
  readonly done: Promise<void>;
  /**
   * Takes no more work, gives back what was not begun, lets the rest finish. Past `timeout` (default 30 s) the
   * handlers' signals are aborted (`shutdown`) and what does not end then is given back too. Resolves with `done`.
   */
  drain(options?: { readonly timeout?: Duration }): Promise<void>;
}

export interface WorkerParts {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly tenant: string;
  readonly log: Logger;
  /** For workers that have no name of their own. */
  readonly workerName: string;
  readonly submit: SubmitChild;
}

/** After the handlers were told to shut down. */
const graceMs = 1_000;
/** For the last settlements to be answered. */
const lastWordsMs = 5_000;

class WorkerRun implements Running {
  readonly #spec: WorkerSpec;
  readonly #parts: WorkerParts;
  readonly #intake: Intake;
  readonly #prefetch: Prefetch;
  readonly #credits = new Credits();
  readonly #attempts: Attempts;
  readonly #work: WorkLink;
  readonly #report: ReportLink;
  readonly #settlements: Settlements;
  readonly #heartbeats: Heartbeats;
  readonly #alarm: Alarm;
  readonly #done = Promise.withResolvers<void>();
  #sessionId = '';
  /** Assigned and not yet settled for good, in bytes of spec. */
  #heldBytes = 0;
  #balancing = false;
  #draining: Promise<void> | undefined;
  #failure: HoldfastError | undefined;
  #idle: (() => void) | undefined;

  constructor(spec: WorkerSpec, parts: WorkerParts) {
    const { transport, clock, tenant, log, submit } = parts;
    this.#spec = spec;
    this.#parts = parts;
    this.#intake = new Intake(spec.handlers, spec.concurrency);
    this.#prefetch = new Prefetch(this.#intake.concurrency);
    this.#alarm = new Alarm(clock, (nowMs) => this.#sweep(nowMs));
    const due = (atMs: number): void => this.#alarm.notLaterThan(atMs);
    this.#attempts = new Attempts(clock, spec.handlers, spec.use, {
      clock,
      log,
      submit,
      due,
      progressed: (attempt) => this.#heartbeats.hasten(attempt, clock.monotonic()),
      ended: (attempt, outcome) => this.#ended(attempt, outcome),
    });
    const workerId = clock.uuid();
    this.#report = new ReportLink(
      transport,
      clock,
      { tenant, workerId },
      {
        settled: (answer) => this.#settlements.answered(answer),
        beaten: (answer) => this.#heartbeats.answered(answer),
        lost: (batches) => {
          this.#settlements.lost(batches);
          this.#heartbeats.lost(batches);
        },
        opened: () => this.#settlements.flush(),
      },
    );
    this.#settlements = new Settlements(clock, this.#report, {
      sessionFor: (count) => this.#sessionFor(count),
      settled: (count, session, creditedCount, bytes) => this.#settled(count, session, creditedCount, bytes),
    });
    this.#heartbeats = new Heartbeats(clock, this.#report, {
      stop: (attempt, cause) => this.#attempts.stop(attempt, cause),
      due,
    });
    const types = spec.handlers.map(({ task }) => ({ type: task.name, maxVersion: task.contract.version }));
    const workerName = spec.name ?? parts.workerName;
    this.#work = new WorkLink(
      transport,
      clock,
      { tenant, workerName, workerId, queues: spec.queues, types },
      {
        room: () => this.#greet(),
        welcome: (sessionId, heartbeatMs) => this.#welcome(sessionId, heartbeatMs),
        assigned: (tasks, current) => this.#assigned(tasks, current),
        cancel: (id, token, cause) => this.#cancel(id, token, cause),
        refused: (error) => this.#refused(error),
        reconnecting: (error) => log.info({ err: error }, 'the stream of work was cut; opening another'),
      },
    );
    this.#done.promise.catch(() => {});
    this.#work.open();
    this.#report.open();
  }

  get done(): Promise<void> {
    return this.#done.promise;
  }

  drain(options: { readonly timeout?: Duration } = {}): Promise<void> {
    const timeoutMs = durationMs(options.timeout ?? timing.drainMs, 'timeout');
    this.#draining ??= this.#drain(timeoutMs);
    return this.#draining;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.drain();
  }

  /** How many tasks this worker wants to hold in all. */
  get #wanted(): number {
    return this.#draining === undefined ? this.#intake.concurrency + this.#prefetch.tasks : 0;
  }

  /** Waiting, running, or settled and not yet answered. */
  get #held(): number {
    return this.#intake.waiting + this.#intake.running + this.#settlements.unanswered;
  }

  #room(): Room {
    return roomFor(this.#wanted, this.#held, this.#heldBytes);
  }

  #greet(): Room {
    const room = this.#room();
    this.#credits.reset(room);
    return room;
  }

  #welcome(sessionId: string, heartbeatMs: number): void {
    this.#sessionId = sessionId;
    this.#report.sessionId = sessionId;
    this.#heartbeats.everyMs = heartbeatMs;
    this.#balance();
  }

  #assigned(tasks: readonly Assignment[], current: boolean): void {
    const nowMs = this.#parts.clock.monotonic();
    for (const task of tasks) {
      this.#heldBytes += task.spec.length;
      if (current) this.#credits.used({ tasks: 1, bytes: task.spec.length });
      const handler = this.#handlerFor(task);
      if (handler === undefined || this.#draining !== undefined) this.#settle(task, released);
      else if (this.#attempts.get(task.id)?.assignment.token === task.token)
        this.#heldBytes -= task.spec.length;
      else this.#intake.add(task, handler, nowMs);
    }
    this.#startWhatMay();
    const staleAtMs = this.#intake.staleAtMs();
    if (staleAtMs !== undefined) this.#alarm.notLaterThan(staleAtMs);
  }

  /** The server gives only what hello named; anything else is given back. */
  #handlerFor(task: Assignment): Handler | undefined {
    const { type, typeVersion } = peekSpec(task.spec);
    const handler = this.#intake.handlerOf(type);
    if (handler !== undefined && typeVersion <= handler.task.contract.version) return handler;
    this.#parts.log.error(
      { ...logFields(task), type, typeVersion },
      'was given a task that this worker does not handle',
    );
    return undefined;
  }

  #startWhatMay(): void {
    for (let next = this.#intake.next(); next !== undefined; next = this.#intake.next())
      this.#attempts.start(next);
  }

  #ended(attempt: Attempt, outcome: AttemptOutcome | undefined): void {
    const { clock } = this.#parts;
    const nowMs = clock.monotonic();
    this.#intake.ended(attempt.handler);
    if (this.#prefetch.took(nowMs - attempt.startedAtMs, nowMs)) this.#balanceSoon();
    if (outcome === undefined) {
      this.#heldBytes -= attempt.assignment.spec.length;
      this.#balanceSoon();
    } else this.#settle(attempt.assignment, outcome);
    this.#startWhatMay();
    if (this.#intake.running === 0) this.#idle?.();
  }

  #settle(assignment: Assignment, outcome: AttemptOutcome): void {
    this.#settlements.add({
      settlement: { lease: assignment.lease, ...outcome },
      specBytes: assignment.spec.length,
      tries: 0,
      done: (result) => this.#recorded(assignment, outcome, result),
    });
  }

  /** Empty where more would come than is wanted. */
  #sessionFor(count: number): string {
    return this.#credits.excess(this.#wanted, this.#held - count) + count > 0 ? '' : this.#sessionId;
  }

  #settled(count: number, session: string | undefined, creditedCount: number, specBytes: number): void {
    this.#heldBytes -= specBytes;
    if (session !== undefined && session === this.#sessionId) {
      this.#credits.returned({ tasks: creditedCount, bytes: specBytes });
    }
    if (count > 0) this.#balance();
  }

  #recorded(assignment: Assignment, outcome: AttemptOutcome, result: SettleResult): void {
    const { log } = this.#parts;
    if (result.error !== undefined) {
      const err = errorOf(result.error);
      log.warn(
        { ...logFields(assignment), err, outcome: outcome.outcome },
        "an attempt's outcome was refused",
      );
      return;
    }
    const { onDead } = this.#spec;
    if (result.state !== 'dead' || onDead === undefined) return;
    const { id, queue, attempt, spec } = assignment;
    const { message, errorType } = outcome;
    const told = async (): Promise<void> =>
      onDead({ id, type: peekSpec(spec).type, queue, attempt, message, errorType });
    told().catch((err: unknown) => log.error({ ...logFields(assignment), err }, 'onDead failed'));
  }

  #cancel(id: string, token: number, cause: CancelCause): void {
    const attempt = this.#attempts.get(id);
    if (attempt?.assignment.token === token) this.#attempts.stop(attempt, cause);
  }

  #balanceSoon(): void {
    if (this.#balancing) return;
    this.#balancing = true;
    this.#parts.clock.soon(() => {
      this.#balancing = false;
      this.#balance();
    });
  }

  /** Gives the server the credits that nothing returned. */
  #balance(): void {
    if (this.#draining !== undefined || this.#sessionId === '') return;
    const missing = this.#credits.missing(this.#room());
    if (missing !== undefined) this.#work.credit(missing);
  }

  #sweep(nowMs: number): void {
    const stale = this.#intake.takeOut(nowMs);
    if (stale.length > 0) {
      this.#prefetch.waitedTooLong();
      for (const { assignment } of stale) this.#settle(assignment, released);
    }
    const times = [
      this.#intake.staleAtMs(),
      this.#attempts.expire(nowMs),
      this.#heartbeats.beat(this.#attempts.running, nowMs),
    ];
    for (const atMs of times) if (atMs !== undefined) this.#alarm.notLaterThan(atMs);
  }

  #refused(error: HoldfastError): void {
    this.#failure = refusedWorker(error);
    this.#parts.log.error({ err: this.#failure }, 'the server does not take this worker');
    void this.drain();
  }

  async #drain(timeoutMs: number): Promise<void> {
    // Let the caller's assignment of #draining take effect, from which on nothing is wanted any more.
    await Promise.resolve();
    this.#work.resetCredit();
    for (const { assignment } of this.#intake.takeOut(Number.POSITIVE_INFINITY))
      this.#settle(assignment, released);
    if (!(await this.#within(timeoutMs, this.#allEnded()))) {
      this.#attempts.abortAll('shutdown', 'This worker stops.');
      await this.#within(graceMs, this.#allEnded());
      this.#attempts.endAll(released);
    }
    await this.#within(lastWordsMs, this.#settlements.settled());
    this.#alarm.stop();
    this.#work.close();
    this.#report.close();
    this.#settlements.close();
    if (this.#failure === undefined) this.#done.resolve();
    else this.#done.reject(this.#failure);
  }

  #allEnded(): Promise<void> {
    if (this.#intake.running === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }

  async #within(ms: number, promise: Promise<void>): Promise<boolean> {
    const stop = new AbortController();
    const inTime = await Promise.race([
      promise.then(() => true),
      this.#parts.clock.sleep(ms, stop.signal).then(() => false),
    ]);
    stop.abort();
    return inTime;
  }
}

/** Runs a worker over a transport; `client.work(spec)` is what most programs use. */
export function startWorker(spec: WorkerSpec, parts: WorkerParts): Running {
  return new WorkerRun(spec, parts);
}
