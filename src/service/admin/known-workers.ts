import type { ServiceContext } from '../context.ts';
import type { KnownWorkers, WorkerView } from '../service.ts';
import { isCurrent, type WorkersLine, workerKey, workersKind, workersOf } from './worker-announcement.ts';

/** The streams of this node. */
export function ownStreams({ sessions, held }: ServiceContext): WorkerView[] {
  const counts = held.counts();
  return [...sessions.all()].map((session) => session.view(counts.get(session.id) ?? 0));
}

/** A worker that has moved is told by its old node for some seconds yet: its newest stream counts. */
export function newestOfEach(views: readonly WorkerView[]): Map<string, WorkerView> {
  const newest = new Map<string, WorkerView>();
  for (const view of views) {
    const key = workerKey(view);
    const before = newest.get(key);
    if (before === undefined || before.connectedAtMs <= view.connectedAtMs) newest.set(key, view);
  }
  return newest;
}

/** What other processes tell of their workers. Clocks are compared: each process corrects its own by AWS's answers. */
async function linesOfOthers({ registry, clock, processId }: ServiceContext): Promise<WorkersLine[]> {
  const entries = await registry.list(workersKind, '');
  const nowMs = clock.now();
  return entries
    .map(({ value }) => value as WorkersLine)
    .filter((line) => line.id !== processId && isCurrent(line, nowMs));
}

/** This node's streams, then the workers of the other nodes that share the store. */
export async function everyWorker(context: ServiceContext): Promise<KnownWorkers> {
  const lines = context.store.can.sharedWriters ? await linesOfOthers(context) : [];
  const own = ownStreams(context);
  const others = newestOfEach(lines.flatMap(workersOf));
  for (const view of own) others.delete(workerKey(view));
  return { workers: [...own, ...others.values()], isComplete: lines.every((line) => line.isComplete) };
}
