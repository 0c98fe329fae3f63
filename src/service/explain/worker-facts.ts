import type { WorkerFact } from '../../core/explain/facts.ts';
import type { HandledType } from '../../core/handled-type.ts';
import type { Submission } from '../../core/submission/submission.ts';
import { everyWorker } from '../admin/known-workers.ts';
import { workerKey } from '../admin/worker-announcement.ts';
import type { ServiceContext } from '../context.ts';
import type { KnownWorkers, WorkerView } from '../service.ts';

/** The workers of a task's queue, as far as this node knows them. */
interface WorkerFacts {
  readonly workers: readonly WorkerFact[];
  readonly areWorkersComplete: boolean;
}

const unknown: KnownWorkers = { workers: [], isComplete: false };

function typesOf({ types, maxVersions }: WorkerView): HandledType[] {
  return types.map((type, i) => ({ type, maxVersion: maxVersions[i] ?? 1 }));
}

/** Returns the keys of the workers with a stream on this node, and whether each has room for another task of this type. */
function roomByWorker({ sessions }: ServiceContext, type: string): ReadonlyMap<string, boolean> {
  const rooms = new Map<string, boolean>();
  for (const session of sessions.all()) {
    const key = workerKey(session.view(0));
    rooms.set(key, rooms.get(key) === true || session.hasRoomFor(type));
  }
  return rooms;
}

/**
 * Reads which workers take tasks of the submission's queue, and which of this node's workers have room for it. A store that
 * does not answer leaves out the workers of other nodes only.
 */
export async function workerFacts(
  context: ServiceContext,
  { scope, type }: Submission,
): Promise<WorkerFacts> {
  const known = await everyWorker(context).catch(() => unknown);
  const rooms = roomByWorker(context, type);
  const hasRoom = (view: WorkerView): boolean | undefined =>
    view.polls ? context.pollers.hasRoom(view) : rooms.get(workerKey(view));
  const workers = known.workers
    .filter(({ tenant, queues }) => tenant === scope.tenant && queues.includes(scope.queue))
    .map((view) => ({
      worker: view.unlistedCount > 0 ? `workers of ${view.node}` : `${view.name}/${view.id}`,
      count: view.unlistedCount || 1,
      types: typesOf(view),
      hasRoom: hasRoom(view),
    }));
  return { workers, areWorkersComplete: known.isComplete };
}
