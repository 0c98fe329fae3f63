import type { HoldfastError } from '../../core/errors.ts';
import { timing } from '../../core/limits.ts';
import type { Assignment, CancelCause } from '../../core/messages.ts';
import type { Span } from '../../ports/tracing.ts';
import type { Handler, WorkerSpec } from '../contract/handler.ts';
import { type Duration, durationMs } from '../duration.ts';
import { AloneTask } from './alone-tasks.ts';
import { AssignedTasks } from './assigned-tasks.ts';
import type { Attempt } from './attempt.ts';
import { logUnrecorded, reportRecorded } from './attempt-log.ts';
import { beginSettleSpan, endSettleSpan } from './attempt-span.ts';
import { Attempts } from './attempts.ts';
import { type AttemptOutcome, released, returned, unrecordedOutcome } from './outcome.ts';
import { aloneRunnerOf } from './run-alone.ts';
import type { DrainReport, RunningWorker, WorkerParts } from './running.ts';
import { Slots } from './slots.ts';
import { CoalescedTimer } from './streams/coalesced-timer.ts';
import { ConnectionLog } from './streams/connection-log.ts';
import { CreditBalance } from './streams/credit-balance.ts';
import { Heartbeats } from './streams/heartbeats.ts';
import { ReportStream } from './streams/report-stream.ts';
import { Settlements } from './streams/settlements.ts';
import { WorkStream, workerRefusedError } from './streams/work-stream.ts';

/** The time that handlers get to stop after their signals were aborted at the end of a drain. */
const abortGraceMs = 400;
/**
 * The time after the end of a drain at which a worker waits no longer for the server's answers. It is shorter than
 * `timing.drainEndMs`, so that the program can still close its connection and end within that time.
 */
const lastAnswerMs = 800;

class WorkerRun implements RunningWorker {
  readonly #spec: WorkerSpec;
  readonly #parts: WorkerParts;
  readonly #slots: Slots;
  readonly #credits: CreditBalance;
  readonly #attempts: Attempts;
  readonly #assigned: AssignedTasks;
  readonly #workStream: WorkStream;
  readonly #reportStream: ReportStream;
  readonly #settlements: Settlements;
  readonly #heartbeats: Heartbeats<Attempt | AloneTask>;
  readonly #timer: CoalescedTimer;
  readonly #connectionLog: ConnectionLog;
  readonly #done = Promise.withResolvers<void>();
  #draining: Promise<DrainReport> | undefined;
  #finished = 0;
  #released = 0;
  #failure: HoldfastError | undefined;
  #idle: (() => void) | undefined;

  constructor(spec: WorkerSpec, parts: WorkerParts) {
    const { transport, clock, tenant, log, submit, tracing } = parts;
    const workerName = spec.name ?? parts.workerName;
    this.#spec = spec;
    this.#parts = parts;
    const runner = aloneRunnerOf(spec);
    const alone = runner && { runner, transport, hasFailed: false };
    this.#slots = new Slots(spec.handlers, spec.concurrency, () =>
      alone?.hasFailed === false ? alone.runner.processes : undefined,
    );
    this.#connectionLog = new ConnectionLog(clock, log);
    this.#timer = new CoalescedTimer(clock, (nowMs) => this.#runDue(nowMs));
    const due = (atMs: number): void => this.#timer.fireBy(atMs);
    this.#attempts = new Attempts(
      clock,
      spec.handlers,
      spec.use,
      {
        clock,
        log,
        submit,
        tracing,
        workerName,
        due,
        progressed: (attempt) => this.#heartbeats.progressMade(attempt, clock.monotonic()),
        ended: (attempt, outcome) => this.#ended(attempt, outcome),
      },
      alone,
    );
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
      periodFor: (batch) => this.#credits.periodFor(batch),
      settled: (final, credited, sent) => this.#credits.settled(final, credited, sent),
      creditUnknown: (period) => this.#credits.creditUnknown(period),
    });
    this.#heartbeats = new Heartbeats(clock, this.#reportStream, {
      stop: (held, cause) =>
        held instanceof AloneTask
          ? this.#assigned.stopWaiting(held, cause)
          : this.#attempts.stop(held, cause),
      recorded: (held) => {
        if (!(held instanceof AloneTask)) this.#attempts.recorded(held);
      },
      due,
    });
    const types = spec.handlers.map(({ task }) => ({ type: task.name, maxVersion: task.contract.version }));
    this.#workStream = new WorkStream(
      transport,
      clock,
      {
        ...{ tenant, workerName, workerId, queues: spec.queues, types },
        ...{ reportsBegun: !parts.beginsAtOnce, runsAlone: true },
      },
      {
        initialCredit: (isFirst) => this.#credits.initialCredit(isFirst),
        welcome: (sessionId, heartbeatMs) => this.#welcome(sessionId, heartbeatMs),
        assigned: (tasks, first, current) => {
          for (const { queue } of tasks) parts.metrics?.consumed(queue, 1);
          this.#assigned.add(tasks, first, current);
        },
        cut: () => this.#assigned.giveBackAll(),
        cancel: (id, fencingToken, cause) => this.#cancel(id, fencingToken, cause),
        refused: (error) => this.#refused(error),
        reconnecting: (error) => this.#connectionLog.lost(error),
      },
    );
    this.#credits = new CreditBalance({
      clock,
      slots: this.#slots,
      prefetches: !parts.beginsAtOnce,
      unanswered: () => this.#settlements.unanswered,
      credit: (amount) => this.#workStream.credit(amount),
      resetCredit: () => this.#workStream.resetCredit(),
      due,
    });
    this.#assigned = new AssignedTasks({
      ...{ clock, log, beginsAtOnce: parts.beginsAtOnce, due },
      ...{
        slots: this.#slots,
        credits: this.#credits,
        attempts: this.#attempts,
        workStream: this.#workStream,
      },
      giveBack: (assignment, handler) => this.#settle(assignment, handler, returned),
    });
    this.#done.promise.catch(() => {});
    parts.metrics?.addSource({
      name: 'slots',
      everyMs: 0,
      read: (gauges) => {
        const { running, concurrency } = this.#slots;
        gauges.set('holdfast.worker.slots', { state: 'used' }, running);
        gauges.set('holdfast.worker.slots', { state: 'free' }, Math.max(0, concurrency - running));
      },
    });
    this.#workStream.open();
    this.#reportStream.open();
  }

  get done(): Promise<void> {
    return this.#done.promise;
  }

  drain(options: { readonly timeout?: Duration } = {}): Promise<DrainReport> {
    const timeoutMs = durationMs(options.timeout ?? timing.drainMs, 'timeout');
    if (this.#draining === undefined) {
      this.#draining = this.#drain(timeoutMs);
      this.#attempts.workerStops();
    }
    return this.#draining;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  #welcome(sessionId: string, heartbeatMs: number): void {
    this.#connectionLog.connected();
    this.#reportStream.sessionId = sessionId;
    this.#heartbeats.everyMs = heartbeatMs;
    this.#credits.welcome(sessionId);
    // The server takes back, 2 s after a cut, the tasks of which it does not know that they began.
    this.#workStream.reportRunning([...this.#attempts.running].map(({ assignment }) => assignment));
    this.#assigned.begin();
    // Another node than the earlier stream's knows nothing of them, and could not recall them.
    this.#workStream.reportKept(this.#slots.allWaiting.map(({ assignment }) => assignment));
  }

  #ended(attempt: Attempt, outcome: AttemptOutcome | undefined): void {
    const { assignment, handler, startedAtMs } = attempt;
    this.#assigned.ended(attempt);
    const ranMs = this.#parts.clock.monotonic() - startedAtMs;
    this.#credits.ended(handler.task.name, ranMs);
    this.#parts.metrics?.processed(assignment.queue, outcome?.outcome, ranMs);
    if (outcome === undefined) {
      this.#credits.dropped(handler.task.name, assignment.spec.length);
      this.#credits.replenishSoon();
    } else {
      if (this.#draining !== undefined) this.#count(outcome);
      this.#settle(assignment, handler, outcome, attempt.span);
    }
    this.#assigned.beginSoon();
    if (this.#slots.running === 0) this.#idle?.();
  }

  #count({ outcome }: AttemptOutcome): void {
    if (outcome === 'released') this.#released++;
    else this.#finished++;
  }

  #settle(
    assignment: Assignment,
    handler: Handler | undefined,
    outcome: AttemptOutcome,
    attempt?: Span,
  ): void {
    const { lease, spec } = assignment;
    const { log, tracing } = this.#parts;
    const type = handler?.task.name ?? '';
    const span = beginSettleSpan(tracing, attempt, assignment, type, outcome);
    const traceparent = span?.traceparent;
    let sent = outcome;
    this.#settlements.add({
      settlement: { lease, ...outcome, traceparent },
      type,
      specBytes: spec.length,
      tries: 0,
      replace: (error) => {
        // A release has no content that could be invalid, and a failure would use an attempt.
        if (sent !== outcome || outcome.outcome === 'released') return undefined;
        sent = unrecordedOutcome(error);
        logUnrecorded(log, { assignment, span: attempt }, outcome, error);
        return { lease, ...sent, traceparent };
      },
      done: (result) => {
        if (span !== undefined) endSettleSpan(span, result);
        reportRecorded(this.#spec, log, { assignment, span: attempt }, sent, result);
      },
    });
  }

  #cancel(id: string, fencingToken: number, cause: CancelCause): void {
    const attempt = this.#attempts.get(id);
    if (attempt?.assignment.fencingToken === fencingToken) {
      if (cause === 'paused' || cause === 'rebalance') this.#attempts.recall(attempt);
      else this.#attempts.stop(attempt, cause);
      return;
    }
    this.#assigned.recall(id, fencingToken);
  }

  /** Does everything that is due: releases stale tasks, ends attempts that ran out of time, and sends heartbeats. */
  #runDue(nowMs: number): void {
    this.#assigned.giveBackStale(nowMs);
    const { waitingAlone } = this.#assigned;
    const times = [
      this.#assigned.giveBackDueAtMs,
      this.#attempts.expire(nowMs),
      this.#heartbeats.sendDue(
        waitingAlone.length === 0 ? this.#attempts.running : [...this.#attempts.running, ...waitingAlone],
        nowMs,
      ),
      this.#credits.shrink(nowMs),
    ];
    for (const atMs of times) if (atMs !== undefined) this.#timer.fireBy(atMs);
  }

  #refused(error: HoldfastError): void {
    this.#failure = workerRefusedError(error);
    this.#parts.log.error({ err: this.#failure }, 'the server refuses this worker');
    void this.drain();
  }

  async #drain(timeoutMs: number): Promise<DrainReport> {
    const timeoutAtMs = this.#parts.clock.monotonic() + timeoutMs;
    this.#credits.stop();
    // Nothing may start any more, also if a handler ends at once because `context.stopping` is aborted.
    this.#assigned.giveBackAll();
    await Promise.resolve();
    this.#workStream.resetCredit();
    if (!(await this.#until(timeoutAtMs, this.#allEnded()))) {
      this.#attempts.abortAll('shutdown', 'The worker is shutting down.');
      await this.#until(timeoutAtMs + abortGraceMs, this.#allEnded());
      this.#attempts.endAll(released);
    }
    await this.#until(timeoutAtMs + lastAnswerMs, this.#settlements.allAnswered());
    const { unanswered } = this.#settlements;
    this.#timer.stop();
    this.#workStream.close();
    this.#reportStream.close();
    this.#settlements.close();
    if (this.#failure === undefined) this.#done.resolve();
    else this.#done.reject(this.#failure);
    const stillRunning = this.#attempts.runningHandlers;
    return { finished: this.#finished, released: this.#released, unanswered, stillRunning };
  }

  #allEnded(): Promise<void> {
    if (this.#slots.running === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }

  /** Waits for the promise until this time on the monotonic clock. Returns false if the time was over first. */
  async #until(atMs: number, promise: Promise<void>): Promise<boolean> {
    const { clock } = this.#parts;
    const stop = new AbortController();
    const inTime = await Promise.race([
      promise.then(() => true),
      clock.sleep(Math.max(0, atMs - clock.monotonic()), stop.signal).then(() => false),
    ]);
    stop.abort();
    return inTime;
  }
}

/** Starts a worker over a transport. Most programs use `client.work(spec)`. */
export function startWorker(spec: WorkerSpec, parts: WorkerParts): RunningWorker {
  return new WorkerRun(spec, parts);
}
