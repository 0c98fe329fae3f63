import type { Scope } from '../../core/submission/submission.ts';
import type { TaskEvent } from '../../core/task/event.ts';
import type { Progress } from '../../core/task/head.ts';
import type { Snapshot, Verified } from '../../ports/task-store.ts';
import { readOf } from '../commit.ts';
import type { ServiceContext } from '../context.ts';
import { laneOf } from '../hand-over.ts';
import { keepsNoChain, notFound } from '../rejections.ts';
import type { TaskView, WatchUpdate } from '../service.ts';
import type { WatchedEvent } from './watched-task.ts';

export async function view(
  context: ServiceContext,
  snapshot: Snapshot,
  withResult: boolean,
): Promise<TaskView> {
  const lane = laneOf(snapshot);
  const lowest =
    lane !== undefined && snapshot.head.state === 'waiting' ? await context.store.lowest(lane) : undefined;
  return {
    snapshot,
    result: withResult ? await context.store.result(snapshot.id) : undefined,
    waitingFor: lowest === undefined || lowest.id === snapshot.id ? undefined : lowest.id,
  };
}

export async function get(
  context: ServiceContext,
  tenant: string,
  id: string,
  withResult: boolean,
): Promise<TaskView> {
  const snapshot = await readOf(context, tenant, id);
  if (snapshot === undefined) throw notFound(id);
  return view(context, snapshot, withResult);
}

export async function getByKey(
  context: ServiceContext,
  scope: Scope,
  withResult: boolean,
): Promise<TaskView> {
  const snapshot = await context.store.byKey(scope, context.clock.now());
  if (snapshot === undefined) throw notFound(`${scope.queue}/${scope.key}`);
  return view(context, snapshot, withResult);
}

export async function history(
  context: ServiceContext,
  tenant: string,
  id: string,
  fromVersion: number,
): Promise<readonly TaskEvent[]> {
  if ((await readOf(context, tenant, id)) === undefined) throw notFound(id);
  return context.store.history(id, fromVersion);
}

/** Nothing else of the task is read for it: a damaged one could not be. */
export async function verify(context: ServiceContext, tenant: string, id: string): Promise<Verified> {
  const { store, clock } = context;
  if (store.verify === undefined) throw keepsNoChain();
  const verified = await store.verify(id, clock.now());
  if (verified?.queue.tenant !== tenant) throw notFound(id);
  return verified;
}

/** Events after `fromVersion`, each with the state after it, then those to come; ends with the task. */
export async function* watch(
  context: ServiceContext,
  tenant: string,
  id: string,
  fromVersion: number,
  signal: AbortSignal,
): AsyncGenerator<WatchUpdate> {
  const task = context.watched.join(id);
  let progress: Progress | undefined;
  let version = 0;
  try {
    await task.current();
    for (;;) {
      if (task.failure !== undefined) throw task.failure;
      if (task.tenant !== tenant) throw notFound(id);
      const { turn } = task;
      for (; version < task.events.length; version++) {
        const { event, state } = task.events[version] as WatchedEvent;
        if (version + 1 > fromVersion) yield { kind: 'event', version: version + 1, event, state };
      }
      if (task.progress !== undefined && task.progress !== progress)
        yield { kind: 'progress', progress: task.progress };
      progress = task.progress;
      // What came while the reader took its time is told first.
      if (task.turn !== turn) continue;
      if (task.isEnded || signal.aborted) return;
      await task.after(turn, signal);
      if (signal.aborted) return;
    }
  } finally {
    context.watched.leave(id, task);
  }
}
