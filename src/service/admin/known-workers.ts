import type { ServiceContext } from '../context.ts';
import type { KnownWorkers, WorkerView } from '../service.ts';
import {
  announcementIn,
  isCurrent,
  namedWorkersOf,
  unnamedWorkersOf,
  type WorkerAnnouncement,
  workerKey,
  workersKind,
} from './worker-announcement.ts';

/** Lists the worker streams of this node. */
export function ownStreams({ sessions, heldLeases: held }: ServiceContext): WorkerView[] {
  const counts = held.counts();
  return [...sessions.all()].map((session) => session.view(counts.get(session.id) ?? 0));
}

/** Keeps the newest view of each worker. A worker that moved to another node is announced by both for some seconds. */
export function newestOfEach(views: readonly WorkerView[]): Map<string, WorkerView> {
  const newest = new Map<string, WorkerView>();
  for (const view of views) {
    const key = workerKey(view);
    const before = newest.get(key);
    if (before === undefined || before.connectedAtMs <= view.connectedAtMs) newest.set(key, view);
  }
  return newest;
}

/**
 * Reads the current worker announcements of the other processes. Their times are compared with this process's clock, which
 * works because each process corrects its clock by the times in AWS's responses.
 */
async function announcementsOfOthers({
  registry,
  clock,
  processId,
}: ServiceContext): Promise<WorkerAnnouncement[]> {
  const entries = await registry.list(workersKind, '');
  const nowMs = clock.now();
  return entries
    .map(announcementIn)
    .filter((announcement) => announcement !== undefined)
    .filter((announcement) => announcement.id !== processId && isCurrent(announcement, nowMs));
}

/**
 * Lists this node's streams, followed by the workers of the other nodes that share the store: the named ones, then one view
 * for each kind of each node that has more.
 */
export async function everyWorker(context: ServiceContext): Promise<KnownWorkers> {
  const announcements = context.store.can.sharedWriters ? await announcementsOfOthers(context) : [];
  const own = ownStreams(context);
  const named = newestOfEach(announcements.flatMap(namedWorkersOf));
  for (const view of own) named.delete(workerKey(view));
  return {
    workers: [...own, ...named.values(), ...announcements.flatMap(unnamedWorkersOf)],
    isComplete: announcements.every((one) => one.isComplete),
  };
}
