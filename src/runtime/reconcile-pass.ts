/**
 * The passes of the reconciler, which sends lost dispatch messages again. Each pass examines the tasks of one queue
 * that were accepted in a range of time.
 */

import { HoldfastError } from '../core/errors.ts';
import type { Priority } from '../core/priority.ts';
import type { QueueRef } from '../core/queue-ref.ts';
import { lapseReason, leaseExpiredAtMs } from '../core/task/decision.ts';
import { isEnded } from '../core/task/head.ts';
import type { Snapshot, TaskFilter, TaskId } from '../ports/task-store.ts';
import { commitCommand, factsOf } from '../service/commit.ts';
import type { ServiceContext } from '../service/context.ts';
import { readEach } from '../service/read-each.ts';
import {
  addNote,
  carryForward,
  type HourNote,
  hourMs,
  unfinishedNotesOf,
} from '../service/redrive/reconcile-notes.ts';
import { isDispatchable, sendAgain, sentAtOnce } from '../service/redrive/send-again.ts';
import type { FailedTasks } from './failed-tasks.ts';

/** The queue that a reconcile pass examines, and the parts of the runtime that the pass uses. */
export interface PassContext {
  readonly context: ServiceContext;
  readonly queue: QueueRef;
  readonly signal: AbortSignal;
  readonly failedTasks: FailedTasks;
  /** Tells the watchdog that the reconcile pass still makes progress. */
  alive(): void;
}

/** A range of times at which tasks were accepted, in ms. `untilMs` is exclusive. */
export interface AcceptanceRange {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** The number of tasks that a reconcile pass examined, or undefined if the pass was stopped before its end. */
export type ExaminedCount = number | undefined;

/**
 * Ends an unfinished task if its deadline or lifetime is over. Returns true if the task's dispatch message is to be sent
 * again: it has no valid lease and no due time ahead.
 */
async function needsMessage(context: ServiceContext, snapshot: Snapshot): Promise<boolean> {
  const { head } = snapshot;
  const nowMs = context.clock.now();
  if (isEnded(head)) return false;
  if (head.state === 'waiting' && lapseReason(head, factsOf(context, snapshot), nowMs) !== undefined) {
    await commitCommand(context, snapshot, { kind: 'lapse' });
    context.metrics?.repaired('lapsed', 1);
    return false;
  }
  if (context.store.can.transactionalDispatch) return false;
  if (head.state === 'running' && nowMs < leaseExpiredAtMs(head)) return false;
  return isDispatchable(snapshot, nowMs);
}

/** After so many failures in a row at one priority, a reconcile pass no longer tries the tasks of that priority. */
const mostFailures = 10;

/** One reconcile pass over tasks of a queue. A failure of one task does not end the pass. */
class ReconcilePass {
  readonly #pass: PassContext;
  readonly #failures = new Map<Priority, number>();
  #failed = 0;
  #sent = 0;
  #first: { readonly id: TaskId; readonly err: unknown } | undefined;

  constructor(pass: PassContext) {
    this.#pass = pass;
  }

  /**
   * Examines the tasks, some at once. If too many tasks of a priority failed in a row, its further tasks are left to the next
   * retry of failed tasks instead.
   */
  async examineUnlessFailing(snapshots: readonly Snapshot[]): Promise<void> {
    const { context, queue, failedTasks } = this.#pass;
    for (let from = 0; from < snapshots.length; from += sentAtOnce) {
      const tried: Snapshot[] = [];
      for (const snapshot of snapshots.slice(from, from + sentAtOnce)) {
        // Failures are counted by priority, because each priority has its own SQS queue and perhaps only one of these SQS
        // queues is missing.
        const failures = this.#failures.get(snapshot.submission.options.priority) ?? 0;
        if (failures < mostFailures) tried.push(snapshot);
        else failedTasks.skipped(snapshot.id, queue, context.clock.now());
      }
      await this.#examineSome(tried);
    }
  }

  async examine(snapshots: readonly Snapshot[]): Promise<void> {
    for (let from = 0; from < snapshots.length; from += sentAtOnce)
      await this.#examineSome(snapshots.slice(from, from + sentAtOnce));
  }

  /** Examines at most `sentAtOnce` tasks at once; their dispatch messages share calls to SQS, ten in each. */
  async #examineSome(snapshots: readonly Snapshot[]): Promise<void> {
    const { context, alive } = this.#pass;
    if (snapshots.length === 0) return;
    alive();
    const needs = await Promise.allSettled(snapshots.map((one) => needsMessage(context, one)));
    const lost = snapshots.filter((_, i) => needs[i]?.status === 'fulfilled' && needs[i].value);
    const results = new Map<TaskId, unknown>();
    for (const [i, result] of (await sendAgain(context, lost)).entries()) {
      if (result === 'sent') {
        this.#sent++;
        context.metrics?.repaired('messageLost', 1);
      }
      results.set(lost[i]?.id ?? '', result instanceof HoldfastError ? result : undefined);
    }
    for (const [i, snapshot] of snapshots.entries()) {
      const need = needs[i];
      this.#examined(snapshot, need?.status === 'rejected' ? need.reason : results.get(snapshot.id));
    }
    alive();
  }

  #examined({ id, submission }: Snapshot, err: unknown): void {
    const { context, queue, failedTasks } = this.#pass;
    const { priority } = submission.options;
    if (err === undefined) {
      this.#failures.delete(priority);
      failedTasks.succeeded(id);
      return;
    }
    this.#first ??= { id, err };
    this.#failures.set(priority, (this.#failures.get(priority) ?? 0) + 1);
    this.#failed++;
    failedTasks.failed(id, queue, context.clock.now());
  }

  /**
   * Logs how many dispatch messages were sent again, since these tasks wait for longer than ten minutes: their messages were
   * lost, or the workers do not keep up.
   */
  #logSent(): void {
    if (this.#sent === 0) return;
    const { context, queue } = this.#pass;
    context.log.info({ ...queue, sent: this.#sent }, 'sent the dispatch messages of waiting tasks again');
  }

  /** Logs one line for all dispatch messages that were sent, and one for all tasks that the pass could not repair. */
  logResults(): void {
    this.#logSent();
    if (this.#first === undefined) return;
    const { context, queue } = this.#pass;
    const { id: task_id, err } = this.#first;
    const fields = { err, task_id, ...queue, failed: this.#failed };
    context.log.warn(fields, 'could not reconcile some tasks; retrying with backoff');
  }
}

/** Examines again the tasks of a queue that an earlier reconcile pass could not repair, if their backoff has elapsed. */
export async function retryFailed(pass: PassContext): Promise<void> {
  const { context, queue, failedTasks } = pass;
  const nowMs = context.clock.now();
  const ids = failedTasks.due(queue, nowMs);
  if (ids.length === 0) return;
  const examination = new ReconcilePass(pass);
  const read = await readEach(ids, (some) => context.store.read(some, nowMs));
  const found: Snapshot[] = [];
  for (const [i, one] of read.entries()) {
    if (one === undefined || one instanceof HoldfastError) failedTasks.succeeded(ids[i] ?? '');
    else found.push(one);
  }
  await examination.examine(found);
  examination.logResults();
}

async function examineRange(
  { context, queue: { tenant, queue }, signal, alive }: PassContext,
  { fromMs, untilMs }: AcceptanceRange,
  examination: ReconcilePass,
  onUnfinished: (snapshot: Snapshot) => void = () => {},
): Promise<ExaminedCount> {
  let cursor: string | undefined;
  let examined = 0;
  const range = { acceptedFromMs: fromMs, acceptedUntilMs: untilMs };
  const filter: TaskFilter = { tenant, queue, state: 'unfinished', ...range };
  do {
    alive();
    const limit = context.store.limits.pageItems;
    const page = await context.store.list(filter, { limit, cursor, nowMs: context.clock.now() });
    for (const snapshot of page.items) onUnfinished(snapshot);
    await examination.examineUnlessFailing(page.items);
    examined += page.examined;
    cursor = page.cursor;
    if (signal.aborted) return undefined;
  } while (cursor !== undefined);
  return examined;
}

/** Gathers the ids of unfinished tasks by the hour of their acceptance. */
class UnfinishedByHour {
  readonly #byHour = new Map<number, TaskId[]>();

  readonly add = ({ id, submission }: Snapshot): void => {
    const hour = Math.floor(submission.acceptedAtMs / hourMs);
    const ids = this.#byHour.get(hour);
    if (ids === undefined) this.#byHour.set(hour, [id]);
    else ids.push(id);
  };

  get notes(): Required<HourNote>[] {
    return [...this.#byHour].map(([hour, ids]) => ({ hour, ids }));
  }
}

/**
 * Runs the first reconcile pass over a range of acceptance times: examines every task that was accepted in the range and
 * notes the unfinished tasks for the later passes.
 */
export async function firstPass(pass: PassContext, range: AcceptanceRange): Promise<ExaminedCount> {
  const { context, queue } = pass;
  const unfinished = new UnfinishedByHour();
  const examination = new ReconcilePass(pass);
  const examined = await examineRange(pass, range, examination, unfinished.add);
  examination.logResults();
  for (const { hour, ids } of unfinished.notes) await addNote(context, queue, hour, ids);
  return examined;
}

/**
 * Examines the tasks that a note of unfinished tasks lists, or, if the note lists none, all tasks that were accepted in
 * the hour of the note. Tasks that were accepted outside `range` are skipped.
 */
async function examineNote(
  pass: PassContext,
  { hour, ids }: HourNote,
  range: AcceptanceRange,
  examination: ReconcilePass,
  onUnfinished: (snapshot: Snapshot) => void,
): Promise<ExaminedCount> {
  const { context } = pass;
  const part: AcceptanceRange = {
    fromMs: Math.max(range.fromMs, hour * hourMs),
    untilMs: Math.min(range.untilMs, (hour + 1) * hourMs),
  };
  if (ids === undefined) return examineRange(pass, part, examination, onUnfinished);
  pass.alive();
  const nowMs = context.clock.now();
  const within: Snapshot[] = [];
  for (const snapshot of await readEach(ids, (some) => context.store.read(some, nowMs))) {
    if (snapshot === undefined || snapshot instanceof HoldfastError) continue;
    const { acceptedAtMs } = snapshot.submission;
    if (acceptedAtMs < part.fromMs || acceptedAtMs >= part.untilMs) continue;
    within.push(snapshot);
    onUnfinished(snapshot);
  }
  await examination.examineUnlessFailing(within);
  return within.length;
}

const allTime: AcceptanceRange = { fromMs: 0, untilMs: Number.MAX_SAFE_INTEGER };

/**
 * Runs a later reconcile pass: examines only the tasks that the first pass noted as unfinished, and the older tasks that
 * were added to these notes. The last pass adds each task that is still unfinished to the note of the current hour, and
 * all passes examine that note again, so that every task is examined until it has ended.
 */
export async function laterPass(
  pass: PassContext,
  range: AcceptanceRange,
  isLast: boolean,
): Promise<ExaminedCount> {
  const { context, queue, signal } = pass;
  const examination = new ReconcilePass(pass);
  const carried = new UnfinishedByHour();
  const onUnfinished = (snapshot: Snapshot): void => {
    if (isLast && snapshot.head.state !== 'succeeded' && snapshot.head.state !== 'cancelled')
      carried.add(snapshot);
  };
  let examined = 0;
  const firstHour = Math.floor(range.fromMs / hourMs);
  const lastHour = Math.floor((range.untilMs - 1) / hourMs);
  for (const note of await unfinishedNotesOf(context.registry, queue, firstHour, lastHour)) {
    // Only one range of a pass contains the start of an hour. Each pass therefore examines the older tasks that were
    // added to the note of that hour only once.
    const startsInRange = note.hour * hourMs >= range.fromMs;
    const parts = [
      { part: note as HourNote, within: range },
      ...(startsInRange ? (note.carried ?? []).map((part) => ({ part, within: allTime })) : []),
    ];
    for (const { part, within } of parts) {
      if (signal.aborted) return undefined;
      const some = await examineNote(pass, part, within, examination, onUnfinished);
      if (some === undefined) return undefined;
      examined += some;
    }
  }
  const unfinished = await stillUnfinished(pass, carried.notes);
  await carryForward(context, queue, Math.floor(context.clock.now() / hourMs), unfinished);
  examination.logResults();
  return examined;
}

/**
 * Reads the tasks of the given notes of unfinished tasks once more and returns notes of the tasks that have still not
 * ended. The last reconcile pass has just ended most of the tasks because their lifetime was over.
 */
async function stillUnfinished(
  { context }: PassContext,
  notes: readonly Required<HourNote>[],
): Promise<HourNote[]> {
  const nowMs = context.clock.now();
  const kept: HourNote[] = [];
  const batch = context.store.limits.batchItems;
  for (const { hour, ids } of notes) {
    const unfinished: TaskId[] = [];
    for (let from = 0; from < ids.length; from += batch) {
      const read = await readEach(ids.slice(from, from + batch), (some) => context.store.read(some, nowMs));
      for (const one of read) {
        if (one !== undefined && !(one instanceof HoldfastError) && !isEnded(one.head))
          unfinished.push(one.id);
      }
    }
    if (unfinished.length > 0) kept.push({ hour, ids: unfinished });
  }
  return kept;
}
