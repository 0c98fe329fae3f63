import { HoldfastError } from '../core/errors.ts';
import { lapseReason } from '../core/task/decision.ts';
import type { DueEntry, Snapshot } from '../ports/task-store.ts';
import { commitCommand, factsOf } from '../service/commit.ts';
import type { ServiceContext } from '../service/context.ts';
import { handOver, makeReady } from '../service/hand-over.ts';
import { readEach } from '../service/read-each.ts';
import type { DueBackoff } from './due-backoff.ts';
import { queueKeyOrEmpty, type SweepFailureLog } from './sweep-failure-log.ts';

/** The parts of the runtime that `runDue` uses to act on due tasks: the service, the backoff and the failure log. */
export interface DueContext {
  readonly context: ServiceContext;
  readonly signal: AbortSignal;
  readonly backoff: DueBackoff;
  readonly failureLog: SweepFailureLog;
}

/**
 * The result of the sweep for one due task: `sent` (dispatched), `ended`, or `nothing` if the entry of the due index
 * was outdated or another process acted on the task first.
 */
type DueResult = 'sent' | 'ended' | 'nothing';

/**
 * Acts on one task whose due time has come: dispatches the task, or ends it, or dispatches the next task of its
 * ordering key if the task has already ended. The due index may lag behind the task's current state, so the state
 * decides.
 */
async function act(context: ServiceContext, snapshot: Snapshot): Promise<DueResult> {
  const { head } = snapshot;
  const nowMs = context.clock.now();
  if (head.handOver) {
    await handOver(context, snapshot);
    return 'sent';
  }
  if (head.state !== 'waiting') return 'nothing';
  if (lapseReason(head, factsOf(context, snapshot), nowMs) !== undefined) {
    await commitCommand(context, snapshot, { kind: 'lapse' });
    return 'ended';
  }
  if (head.waitUntilMs === undefined || head.waitUntilMs > nowMs) return 'nothing';
  return (await makeReady(context, snapshot, 'due')) ? 'sent' : 'nothing';
}

/** Counts the due tasks of one queue that were dispatched, and those on which the action failed. */
class DueResults {
  sent = 0;
  failed = 0;
}

/**
 * Acts on all given due entries at once. A failure of one entry does not affect the others. Rejects if the tasks of the
 * entries could not be read.
 */
export async function runDue(due: DueContext, entries: readonly DueEntry[]): Promise<void> {
  const { context, signal, backoff, failureLog } = due;
  const { clock, store } = context;
  const resultsByQueue = new Map<string, DueResults>();

  async function tryOne(entry: DueEntry, snapshot: Snapshot): Promise<void> {
    const { scope } = snapshot.submission;
    const queue = queueKeyOrEmpty(scope);
    if (backoff.isQueueBackedOff(queue, clock.monotonic())) {
      backoff.skipped(entry, queue);
      return;
    }
    const results = resultsByQueue.get(queue) ?? new DueResults();
    resultsByQueue.set(queue, results);
    try {
      const result = await act(context, snapshot);
      if (result === 'sent') {
        results.sent++;
        context.metrics?.sweepDispatched(1);
      }
      backoff.succeeded(entry.id);
    } catch (err) {
      results.failed++;
      backoff.failed(entry, queue, clock.monotonic());
      failureLog.record(scope, entry.id, err);
    }
  }

  const nowMs = clock.now();
  const ids = entries.map(({ id }) => id);
  const read = await readEach(ids, (some) => store.read(some, nowMs));
  const actions: Promise<void>[] = [];
  for (const [i, entry] of entries.entries()) {
    const snapshot = read[i];
    if (snapshot === undefined || signal.aborted) continue;
    if (!(snapshot instanceof HoldfastError)) actions.push(tryOne(entry, snapshot));
    else {
      backoff.failed(entry, queueKeyOrEmpty(undefined), clock.monotonic());
      failureLog.record(undefined, entry.id, snapshot);
    }
  }
  await Promise.all(actions);
  for (const [queue, results] of resultsByQueue) backoff.queueTried(queue, results, clock.monotonic());
}
