import type { Scope } from '../../core/submission/submission.ts';
import type { TaskEvent } from '../../core/task/event.ts';
import { type Progress, shownState } from '../../core/task/head.ts';
import type { HistoryVerification, Snapshot, TaskFilter } from '../../ports/task-store.ts';
import { readTask } from '../commit.ts';
import type { ServiceContext } from '../context.ts';
import { laneOf } from '../hand-over.ts';
import { noHashChain, notFound } from '../rejections.ts';
import type { ListFilter, TaskDetails, TaskPage, WatchUpdate } from '../service.ts';
import { withReports } from '../session/begun.ts';
import type { WatchedEvent } from './watched-task.ts';

export async function view(
  context: ServiceContext,
  snapshot: Snapshot,
  withResult: boolean,
): Promise<TaskDetails> {
  const lane = laneOf(snapshot);
  const lowest =
    lane !== undefined && snapshot.head.state === 'waiting' ? await context.store.lowest(lane) : undefined;
  return {
    snapshot: withReports(context, snapshot),
    result: withResult ? await context.store.result(snapshot.id) : undefined,
    blockedByTaskId: lowest === undefined || lowest.id === snapshot.id ? undefined : lowest.id,
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
  if (snapshot === undefined) throw notFound(`${scope.queue}/${scope.key}`);
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

/**
 * Yields the task's events after the version `fromVersion`, each with the task's state after that event, then each new
 * event until the task ends.
 */
export async function* watch(
  context: ServiceContext,
  tenant: string,
  id: string,
  fromVersion: number,
  signal: AbortSignal,
): AsyncGenerator<WatchUpdate> {
  const task = context.watchedTasks.join(id);
  let progress: Progress | undefined;
  let version = 0;
  try {
    await task.refresh();
    for (;;) {
      if (task.failure !== undefined) throw task.failure;
      if (task.tenant !== tenant) throw notFound(id);
      const { changeCount } = task;
      for (; version < task.events.length; version++) {
        const { event, state } = task.events[version] as WatchedEvent;
        if (version + 1 > fromVersion) yield { kind: 'event', version: version + 1, event, state };
      }
      if (task.progress !== undefined && task.progress !== progress)
        yield { kind: 'progress', progress: task.progress };
      progress = task.progress;
      // Changes of the task that were found while the caller was busy are yielded before this loop waits for more changes.
      if (task.changeCount !== changeCount) continue;
      if (task.isEnded || signal.aborted) return;
      await task.nextChange(changeCount, signal);
      if (signal.aborted) return;
    }
  } finally {
    context.watchedTasks.leave(id, task);
  }
}
