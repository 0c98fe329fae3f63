import type { ServiceContext } from '../context.ts';
import type { KnownWorkers, WorkerView } from '../service.ts';
import { keyOfWorker } from '../session/sessions.ts';
import {
  announcementIn,
  isCurrent,
  isOfOtherVersion,
  namedWorkersOf,
  unnamedWorkersOf,
  type WorkerAnnouncement,
  workerKey,
  workersKind,
} from './worker-announcement.ts';

/**
 * Lists the worker streams of this node, then the workers that claim by single calls to it. A task that a worker kept when
 * its stream ended counts to the worker's newest stream.
 */
export function ownWorkers({ node, sessions, pollers, heldLeases }: ServiceContext): KnownWorkers {
  const counts = heldLeases.counts((lease) => {
    if (lease.sessionId !== undefined) return sessions.ofLease(lease)?.id;
    const { submission, head } = lease.snapshot;
    return keyOfWorker({ tenant: submission.scope.tenant, worker: head.worker });
  });
  const streams = [...sessions.all()].map((session) => session.view(counts.get(session.id) ?? 0));
  const polling = pollers.list(node, (worker) => counts.get(keyOfWorker(worker)) ?? 0);
  return { workers: [...streams, ...polling.workers], isComplete: polling.isComplete };
}

/**
 * Keeps the newest entry of each worker in a list of workers. For some seconds after a worker has moved to another node,
 * both nodes announce that worker.
 */
export function newestOfEach(views: readonly WorkerView[]): Map<string, WorkerView> {
  const newest = new Map<string, WorkerView>();
  for (const view of views) {
    const key = workerKey(view);
    const before = newest.get(key);
    if (before === undefined || before.connectedAtMs <= view.connectedAtMs) newest.set(key, view);
  }
  return newest;
}

interface OthersAnnouncements {
  readonly announcements: readonly WorkerAnnouncement[];
  /** False if another process has workers that its announcement leaves out, or that this version cannot read. */
  readonly isComplete: boolean;
}

const noOthers: OthersAnnouncements = { announcements: [], isComplete: true };

/**
 * Reads the current worker announcements of the other processes. The times of the announcements are compared with this
 * process's clock, which works because each process corrects its clock by the times in AWS's responses.
 */
async function announcementsOfOthers({
  registry,
  clock,
  processId,
}: ServiceContext): Promise<OthersAnnouncements> {
  const entries = await registry.list(workersKind, '');
  const nowMs = clock.now();
  const announcements = entries
    .map(announcementIn)
    .filter((announcement) => announcement !== undefined)
    .filter((announcement) => announcement.id !== processId && isCurrent(announcement, nowMs));
  const isComplete =
    announcements.every((one) => one.isComplete) && !entries.some((entry) => isOfOtherVersion(entry, nowMs));
  return { announcements, isComplete };
}

/**
 * Lists the workers with a stream on this node and those that poll it, then the workers that the other nodes of the same store announce by name,
 * then one entry for each group of workers with equal queues and types that another node only counts.
 */
export async function everyWorker(context: ServiceContext): Promise<KnownWorkers> {
  const { announcements, isComplete } = context.store.can.sharedWriters
    ? await announcementsOfOthers(context)
    : noOthers;
  const own = ownWorkers(context);
  const named = newestOfEach(announcements.flatMap(namedWorkersOf));
  for (const view of own.workers) named.delete(workerKey(view));
  return {
    workers: [...own.workers, ...named.values(), ...announcements.flatMap(unnamedWorkersOf)],
    isComplete: isComplete && own.isComplete,
  };
}
