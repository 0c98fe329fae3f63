import type { WorkerFact } from '../../core/explain/facts.ts';
import type { HandledType } from '../../core/handled-type.ts';
import type { QueueRef } from '../../core/queue-ref.ts';
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

/** Returns whether a worker of another node had room for a task of this type when that node announced it. */
function hasAnnouncedRoom({ room }: WorkerView, type: string): boolean | undefined {
  return room === undefined ? undefined : room.freeTasks > 0 && !room.fullTypes.includes(type);
}

/** Returns how long ago another node announced the room of a worker; undefined for a worker of this node. */
function ageOf({ room }: WorkerView, nowMs: number): number | undefined {
  return room?.announcedAtMs === undefined ? undefined : Math.max(0, nowMs - room.announcedAtMs);
}

/**
 * Reads which workers take tasks of a queue, and which of them have room for tasks of a type. The workers are read once, for
 * all submissions that are asked for. A store that does not answer leaves out the workers of other nodes only.
 */
export class WorkerFactsReader {
  readonly #context: ServiceContext;
  readonly #facts = new Map<string, Promise<WorkerFacts>>();
  #reading: Promise<KnownWorkers> | undefined;

  constructor(context: ServiceContext) {
    this.#context = context;
  }

  get areComplete(): Promise<boolean> {
    return this.#known().then(({ isComplete }) => isComplete);
  }

  of({ scope, type }: Submission): Promise<WorkerFacts> {
    const key = `${scope.tenant}/${scope.queue}/${type}`;
    const facts = this.#facts.get(key) ?? this.#read(scope, type);
    this.#facts.set(key, facts);
    return facts;
  }

  #known(): Promise<KnownWorkers> {
    this.#reading ??= everyWorker(this.#context).catch(() => unknown);
    return this.#reading;
  }

  async #read(scope: QueueRef, type: string): Promise<WorkerFacts> {
    const known = await this.#known();
    const rooms = roomByWorker(this.#context, type);
    const nowMs = this.#context.clock.now();
    const hasRoom = (view: WorkerView): boolean | undefined => {
      if (view.polls) return this.#context.pollers.hasRoom(view);
      return rooms.get(workerKey(view)) ?? hasAnnouncedRoom(view, type);
    };
    const workers = known.workers
      .filter(({ tenant, queues }) => tenant === scope.tenant && queues.includes(scope.queue))
      .map((view) => ({
        worker: view.unlistedCount > 0 ? `workers of ${view.node}` : `${view.name}/${view.id}`,
        count: view.unlistedCount || 1,
        types: typesOf(view),
        hasRoom: hasRoom(view),
        roomAgeMs: ageOf(view, nowMs),
      }));
    return { workers, areWorkersComplete: known.isComplete };
  }
}
