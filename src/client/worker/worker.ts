import { peekSpec } from '../../core/codec/spec.ts';
import type { HoldfastError } from '../../core/errors.ts';
import { timing } from '../../core/limits.ts';
import type { Assignment, CancelCause } from '../../core/messages.ts';
import type { Handler, WorkerSpec } from '../contract/handler.ts';
import { type Duration, durationMs } from '../duration.ts';
import { type Attempt, logFields } from './attempt.ts';
import { logUnrecorded, reportRecorded } from './attempt-log.ts';
import { Attempts } from './attempts.ts';
import { type AttemptOutcome, released, unrecordedOutcome } from './outcome.ts';
import type { RunningWorker, WorkerParts } from './running.ts';
import { Slots } from './slots.ts';
import { CoalescedTimer } from './streams/coalesced-timer.ts';
import { ConnectionLog } from './streams/connection-log.ts';
import { CreditBalance } from './streams/credit-balance.ts';
import { Heartbeats } from './streams/heartbeats.ts';
import { Prefetch } from './streams/prefetch.ts';
import { ReportStream } from './streams/report-stream.ts';
import { Settlements } from './streams/settlements.ts';
import { WorkStream, workerRefusedError } from './streams/work-stream.ts';

/** The time that handlers get to stop after their signals were aborted by a drain. */
const abortGraceMs = 1_000;
/** The time that a drain waits for the server to answer the last settlements. */
const settleGraceMs = 5_000;

class WorkerRun implements RunningWorker {
  readonly #spec: WorkerSpec;
  readonly #parts: WorkerParts;
  readonly #slots: Slots;
  readonly #prefetch: Prefetch;
  readonly #credits: CreditBalance;
  readonly #attempts: Attempts;
  readonly #workStream: WorkStream;
  readonly #reportStream: ReportStream;
  readonly #settlements: Settlements;
  readonly #heartbeats: Heartbeats;
  readonly #timer: CoalescedTimer;
  readonly #connectionLog: ConnectionLog;
  readonly #done = Promise.withResolvers<void>();
  #draining: Promise<void> | undefined;
  #failure: HoldfastError | undefined;
  #idle: (() => void) | undefined;

  constructor(spec: WorkerSpec, parts: WorkerParts) {
    const { transport, clock, tenant, log, submit } = parts;
    this.#spec = spec;
    this.#parts = parts;
    this.#slots = new Slots(spec.handlers, spec.concurrency);
    this.#prefetch = new Prefetch(this.#slots.concurrency);
    this.#connectionLog = new ConnectionLog(clock, log);
    this.#timer = new CoalescedTimer(clock, (nowMs) => this.#runDue(nowMs));
    const due = (atMs: number): void => this.#timer.fireBy(atMs);
    this.#attempts = new Attempts(clock, spec.handlers, spec.use, {
      clock,
      log,
      submit,
      due,
      progressed: (attempt) => this.#heartbeats.progressMade(attempt, clock.monotonic()),
      ended: (attempt, outcome) => this.#ended(attempt, outcome),
    });
    const workerId = clock.uuid();
    this.#reportStream = new ReportStream(
      transport,
      clock,
      { tenant, workerId },
      {
        settlementsAnswered: (answer) => this.#settlements.answered(answer),
        heartbeatsAnswered: (answer) => this.#heartbeats.answered(answer),
        lost: (batches) => {
          this.#settlements.resend(batches);
          this.#heartbeats.lost(batches);
        },
        opened: () => this.#settlements.flush(),
      },
    );
    this.#settlements = new Settlements(clock, this.#reportStream, {
      sessionFor: (count) => this.#credits.sessionFor(count),
      settled: (count, session, creditedCount, bytes) =>
        this.#credits.settled(count, session, creditedCount, bytes),
    });
    this.#heartbeats = new Heartbeats(clock, this.#reportStream, {
      stop: (attempt, cause) => this.#attempts.stop(attempt, cause),
      due,
    });
    const types = spec.handlers.map(({ task }) => ({ type: task.name, maxVersion: task.contract.version }));
    const workerName = spec.name ?? parts.workerName;
    this.#workStream = new WorkStream(
      transport,
      clock,
      { tenant, workerName, workerId, queues: spec.queues, types },
      {
        initialCredit: () => this.#credits.initialCredit(),
        welcome: (sessionId, heartbeatMs) => this.#welcome(sessionId, heartbeatMs),
        assigned: (tasks, current) => this.#assigned(tasks, current),
        cancel: (id, fencingToken, cause) => this.#cancel(id, fencingToken, cause),
        refused: (error) => this.#refused(error),
        reconnecting: (error) => this.#connectionLog.lost(error),
      },
    );
    this.#credits = new CreditBalance({
      clock,
      slots: this.#slots,
      prefetch: this.#prefetch,
      unanswered: () => this.#settlements.unanswered,
      credit: (amount) => this.#workStream.credit(amount),
    });
    this.#done.promise.catch(() => {});
    this.#workStream.open();
    this.#reportStream.open();
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
    this.#connectionLog.connected();
    this.#reportStream.sessionId = sessionId;
    this.#heartbeats.everyMs = heartbeatMs;
    this.#credits.welcome(sessionId);
  }

  #assigned(tasks: readonly Assignment[], current: boolean): void {
    const nowMs = this.#parts.clock.monotonic();
    for (const task of tasks) {
      this.#credits.assigned(task.spec.length, current);
      const handler = this.#handlerFor(task);
      if (handler === undefined || this.#credits.stopped) this.#settle(task, released);
      else if (this.#attempts.get(task.id)?.assignment.fencingToken === task.fencingToken)
        this.#credits.dropped(task.spec.length);
      else this.#slots.add(task, handler, nowMs);
    }
    this.#startReady();
    const staleAtMs = this.#slots.staleAtMs();
    if (staleAtMs !== undefined) this.#timer.fireBy(staleAtMs);
  }

  /**
   * Returns the handler for an assigned task. If there is none, it logs an error, because the server should not
   * assign such a task, and returns undefined; the caller then releases the task.
   */
  #handlerFor(task: Assignment): Handler | undefined {
    const { type, typeVersion } = peekSpec(task.spec);
    const handler = this.#slots.handlerOf(type);
    if (handler !== undefined && typeVersion <= handler.task.contract.version) return handler;
    this.#parts.log.error(
      { ...logFields(task), type, typeVersion },
      'the server assigned a task that this worker does not handle',
    );
    return undefined;
  }

  #startReady(): void {
    for (let next = this.#slots.next(); next !== undefined; next = this.#slots.next())
      this.#attempts.start(next);
  }

  #ended(attempt: Attempt, outcome: AttemptOutcome | undefined): void {
    const { clock } = this.#parts;
    const nowMs = clock.monotonic();
    this.#slots.ended(attempt.handler);
    if (this.#prefetch.recordDuration(nowMs - attempt.startedAtMs, nowMs)) this.#credits.replenishSoon();
    if (outcome === undefined) {
      this.#credits.dropped(attempt.assignment.spec.length);
      this.#credits.replenishSoon();
    } else this.#settle(attempt.assignment, outcome);
    this.#startReady();
    if (this.#slots.running === 0) this.#idle?.();
  }

  #settle(assignment: Assignment, outcome: AttemptOutcome): void {
    const { lease, spec } = assignment;
    const { log } = this.#parts;
    let sent = outcome;
    this.#settlements.add({
      settlement: { lease, ...outcome },
      specBytes: spec.length,
      tries: 0,
      replace: (error) => {
        // A release has no content that could be invalid, and a failure would use an attempt.
        if (sent !== outcome || outcome.outcome === 'released') return undefined;
        sent = unrecordedOutcome(error);
        logUnrecorded(log, assignment, outcome, error);
        return { lease, ...sent };
      },
      done: (result) => reportRecorded(this.#spec, log, assignment, sent, result),
    });
  }

  #cancel(id: string, fencingToken: number, cause: CancelCause): void {
    const attempt = this.#attempts.get(id);
    if (attempt?.assignment.fencingToken === fencingToken) this.#attempts.stop(attempt, cause);
  }

  /** Does everything that is due: releases stale tasks, ends attempts that ran out of time, and sends heartbeats. */
  #runDue(nowMs: number): void {
    const stale = this.#slots.takeStale(nowMs);
    if (stale.length > 0) {
      this.#prefetch.recordStale();
      for (const { assignment } of stale) this.#settle(assignment, released);
    }
    const times = [
      this.#slots.staleAtMs(),
      this.#attempts.expire(nowMs),
      this.#heartbeats.sendDue(this.#attempts.running, nowMs),
    ];
    for (const atMs of times) if (atMs !== undefined) this.#timer.fireBy(atMs);
  }

  #refused(error: HoldfastError): void {
    this.#failure = workerRefusedError(error);
    this.#parts.log.error({ err: this.#failure }, 'the server refuses this worker');
    void this.drain();
  }

  async #drain(timeoutMs: number): Promise<void> {
    this.#credits.stop();
    await Promise.resolve();
    this.#workStream.resetCredit();
    for (const { assignment } of this.#slots.takeStale(Number.POSITIVE_INFINITY))
      this.#settle(assignment, released);
    if (!(await this.#within(timeoutMs, this.#allEnded()))) {
      this.#attempts.abortAll('shutdown', 'The worker is shutting down.');
      await this.#within(abortGraceMs, this.#allEnded());
      this.#attempts.endAll(released);
    }
    await this.#within(settleGraceMs, this.#settlements.allAnswered());
    this.#timer.stop();
    this.#workStream.close();
    this.#reportStream.close();
    this.#settlements.close();
    if (this.#failure === undefined) this.#done.resolve();
    else this.#done.reject(this.#failure);
  }

  #allEnded(): Promise<void> {
    if (this.#slots.running === 0) return Promise.resolve();
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

/** Starts a worker over a transport. Most programs use `client.work(spec)`. */
export function startWorker(spec: WorkerSpec, parts: WorkerParts): RunningWorker {
  return new WorkerRun(spec, parts);
}
