import type { Scope } from '../../core/submission/submission.ts';
import type { TaskEvent } from '../../core/task/event.ts';
import { shownState } from '../../core/task/head.ts';
import type { HistoryVerification, Snapshot, TaskFilter } from '../../ports/task-store.ts';
import { readTask } from '../commit.ts';
import type { ServiceContext } from '../context.ts';
import { laneOf } from '../hand-over.ts';
import { keyNotFound, noHashChain, notFound } from '../rejections.ts';
import type { ListFilter, TaskDetails, TaskPage } from '../service.ts';
import { withReports } from '../session/begun.ts';

export async function view(
  context: ServiceContext,
  snapshot: Snapshot,
  withResult: boolean,
): Promise<TaskDetails> {
  const lane = laneOf(snapshot);
  const lowest =
    lane !== undefined && snapshot.head.state === 'waiting' ? await context.store.lowest(lane) : undefined;
  const hasResult = snapshot.head.state === 'succeeded';
  return {
    snapshot: withReports(context, snapshot),
    result: withResult && hasResult ? await context.store.result(snapshot.id) : undefined,
    // Beside a commit in progress, the read of the lane may return a later task, which blocks nothing.
    blockedByTaskId: lowest !== undefined && lowest.seq < (snapshot.laneSeq ?? 0) ? lowest.id : undefined,
  };
}

export async function get(
  context: ServiceContext,
  tenant: string,
  id: string,
  withResult: boolean,
): Promise<TaskDetails> {
  const snapshot = await readTask(context, tenant, id);
  if (snapshot === undefined) throw notFound(id);
  return view(context, snapshot, withResult);
}

export async function getByKey(
  context: ServiceContext,
  scope: Scope,
  withResult: boolean,
): Promise<TaskDetails> {
  const snapshot = await context.store.byKey(scope, context.clock.now());
  if (snapshot === undefined) throw keyNotFound(scope);
  return view(context, snapshot, withResult);
}

/**
 * Lists tasks. The store finds the tasks with a lease; this node then tells reserved and running ones apart, as far as
 * it knows, so that a page may have fewer tasks than its limit.
 */
export async function list(
  context: ServiceContext,
  { state, ...filter }: ListFilter,
  page: { readonly limit: number; readonly cursor: string | undefined },
): Promise<TaskPage> {
  const stored: TaskFilter = { ...filter, state: state === 'reserved' ? 'running' : state };
  const found = await context.store.list(stored, { ...page, nowMs: context.clock.now() });
  const items = found.items.map((snapshot) => withReports(context, snapshot));
  if (state !== 'running' && state !== 'reserved') return { ...found, items };
  return { ...found, items: items.filter(({ head }) => shownState(head) === state) };
}

export async function history(
  context: ServiceContext,
  tenant: string,
  id: string,
  fromVersion: number,
): Promise<readonly TaskEvent[]> {
  if ((await readTask(context, tenant, id)) === undefined) throw notFound(id);
  return context.store.history(id, fromVersion);
}

/**
 * Verifies a task's history. Nothing else of the task is read, so that a damaged task that cannot be read can be verified
 * too.
 */
export async function verify(
  context: ServiceContext,
  tenant: string,
  id: string,
): Promise<HistoryVerification> {
  const { store, clock } = context;
  if (store.verify === undefined) throw noHashChain();
  const verified = await store.verify(id, clock.now());
  if (verified?.queue.tenant !== tenant) throw notFound(id);
  return verified;
}
