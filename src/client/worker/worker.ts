import { peekSpec } from '../../core/codec/spec.ts';
import type { HoldfastError } from '../../core/errors.ts';
import { timing } from '../../core/limits.ts';
import type { Assignment, CancelCause } from '../../core/messages.ts';
import type { Handler, WorkerSpec } from '../contract/handler.ts';
import { type Duration, durationMs } from '../duration.ts';
import { type Attempt, logFields } from './attempt.ts';
import { Attempts } from './attempts.ts';
import { type AttemptOutcome, released } from './outcome.ts';
import { tellRecorded } from './recorded-answer.ts';
import type { Running, WorkerParts } from './running.ts';
import { Intake } from './slots.ts';
import { Alarm } from './streams/coalesced-timer.ts';
import { ReachLines } from './streams/connection-log.ts';
import { Balance } from './streams/credit-balance.ts';
import { Heartbeats } from './streams/heartbeats.ts';
import { Prefetch } from './streams/prefetch.ts';
import { ReportLink } from './streams/report-stream.ts';
import { Settlements } from './streams/settlements.ts';
import { refusedWorker, WorkLink } from './streams/work-stream.ts';

/** After the handlers were told to shut down. */
const graceMs = 1_000;
/** For the last settlements to be answered. */
const lastWordsMs = 5_000;

class WorkerRun implements Running {
  readonly #spec: WorkerSpec;
  readonly #parts: WorkerParts;
  readonly #intake: Intake;
  readonly #prefetch: Prefetch;
  readonly #balance: Balance;
  readonly #attempts: Attempts;
  readonly #work: WorkLink;
  readonly #report: ReportLink;
  readonly #settlements: Settlements;
  readonly #heartbeats: Heartbeats;
  readonly #alarm: Alarm;
  readonly #reach: ReachLines;
  readonly #done = Promise.withResolvers<void>();
  #draining: Promise<void> | undefined;
  #failure: HoldfastError | undefined;
  #idle: (() => void) | undefined;

  constructor(spec: WorkerSpec, parts: WorkerParts) {
    const { transport, clock, tenant, log, submit } = parts;
    this.#spec = spec;
    this.#parts = parts;
    this.#intake = new Intake(spec.handlers, spec.concurrency);
    this.#prefetch = new Prefetch(this.#intake.concurrency);
    this.#reach = new ReachLines(clock, log);
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
      sessionFor: (count) => this.#balance.sessionFor(count),
      settled: (count, session, creditedCount, bytes) =>
        this.#balance.settled(count, session, creditedCount, bytes),
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
        room: () => this.#balance.greet(),
        welcome: (sessionId, heartbeatMs) => this.#welcome(sessionId, heartbeatMs),
        assigned: (tasks, current) => this.#assigned(tasks, current),
        cancel: (id, fencingToken, cause) => this.#cancel(id, fencingToken, cause),
        refused: (error) => this.#refused(error),
        reconnecting: (error) => this.#reach.lost(error),
      },
    );
    this.#balance = new Balance({
      clock,
      intake: this.#intake,
      prefetch: this.#prefetch,
      unanswered: () => this.#settlements.unanswered,
      credit: (room) => this.#work.credit(room),
    });
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

  #welcome(sessionId: string, heartbeatMs: number): void {
    this.#reach.connected();
    this.#report.sessionId = sessionId;
    this.#heartbeats.everyMs = heartbeatMs;
    this.#balance.welcome(sessionId);
  }

  #assigned(tasks: readonly Assignment[], current: boolean): void {
    const nowMs = this.#parts.clock.monotonic();
    for (const task of tasks) {
      this.#balance.assigned(task.spec.length, current);
      const handler = this.#handlerFor(task);
      if (handler === undefined || this.#balance.stopped) this.#settle(task, released);
      else if (this.#attempts.get(task.id)?.assignment.fencingToken === task.fencingToken)
        this.#balance.dropped(task.spec.length);
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
    if (this.#prefetch.took(nowMs - attempt.startedAtMs, nowMs)) this.#balance.soon();
    if (outcome === undefined) {
      this.#balance.dropped(attempt.assignment.spec.length);
      this.#balance.soon();
    } else this.#settle(attempt.assignment, outcome);
    this.#startWhatMay();
    if (this.#intake.running === 0) this.#idle?.();
  }

  #settle(assignment: Assignment, outcome: AttemptOutcome): void {
    this.#settlements.add({
      settlement: { lease: assignment.lease, ...outcome },
      specBytes: assignment.spec.length,
      tries: 0,
      done: (result) => tellRecorded(this.#spec, this.#parts.log, assignment, outcome, result),
    });
  }

  #cancel(id: string, fencingToken: number, cause: CancelCause): void {
    const attempt = this.#attempts.get(id);
    if (attempt?.assignment.fencingToken === fencingToken) this.#attempts.stop(attempt, cause);
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
    this.#balance.stop();
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
