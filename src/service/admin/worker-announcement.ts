/**
 * Worker announcements: each process tells the other processes about its workers in one small registry entry. All functions
 * of this file are pure.
 */
import type { RegistryEntry } from '../../ports/registry.ts';
import type { WorkerRoom, WorkerView } from '../service.ts';

export const workersKind = 'worker';
/**
 * How long a worker announcement is valid, in ms: three times the interval at which its process renews it. An older
 * announcement is ignored, because its process is gone or cannot write.
 */
export const announcementLastsMs = 180_000;
/**
 * The maximum number of workers that an announcement lists by name. Other workers are only counted, per set of queues and
 * types.
 */
export const maxNamedWorkers = 50;
/** The maximum number of full types that an announcement lists of a worker, so that its size stays bounded. */
export const maxFullTypes = 32;
/**
 * The size limit of the worker kinds (one per set of queues and types) of an announcement together, in bytes of JSON. The
 * largest kind, 64 queues and 256 types with names of 64 characters, has 25,000 bytes. A named worker has at most 2,000
 * bytes: 255 characters of name and 64 of id, each at most 6 bytes in JSON; and its room at most 160. So an announcement has
 * less than 262,144 + 50 × 2,160 + 5,000 = 375,144 bytes; a DynamoDB item may have 409,600 bytes.
 */
export const maxKindsBytes = 262_144;
/**
 * The format number of worker announcements. Announcements by earlier versions of Holdfast have no format number or another
 * one. It changes only if an older version would misread an announcement, because lists are incomplete while both versions
 * run. A further optional field does not change it.
 */
const announcementFormat = 2;

interface NamedWorker extends Pick<WorkerView, 'name' | 'id' | 'inFlight' | 'connectedAtMs'> {
  /** Left out if it is 0, to keep the announcement small. Earlier versions of this format never have it. */
  readonly reserved?: number;
  /** The number of further tasks that the worker could take. Left out if it polls; earlier versions never have it. */
  readonly free?: number | undefined;
  /** The places in the kind's list of types that the worker is full of, at most `maxFullTypes` of them. */
  readonly full?: readonly number[] | undefined;
}

/** The workers of a process that handle the same types of the same queues. */
interface WorkerKind extends Pick<WorkerView, 'tenant' | 'queues' | 'types' | 'maxVersions'> {
  /** True if these workers claim by single calls. Left out for workers with streams. */
  readonly polls?: true;
  /** The number of the process's workers of this kind, listed by name or not. */
  readonly count: number;
  readonly named: readonly NamedWorker[];
  /** The number of further tasks that the unnamed workers together could take. Left out as `free` of a named worker. */
  readonly free?: number | undefined;
}

export interface WorkerAnnouncement {
  readonly format: typeof announcementFormat;
  /** Identifies the run of the process that wrote this announcement. */
  readonly id: string;
  readonly node: string;
  /** When this announcement was written, by the process's clock, which is corrected by the times in AWS's responses. */
  readonly writtenAtMs: number;
  /** The number of all workers of the process, including workers whose kind was left out of the announcement. */
  readonly count: number;
  readonly kinds: readonly WorkerKind[];
  /**
   * False if worker kinds were left out of the announcement because of `maxKindsBytes`, or if the process has forgotten a
   * worker that polls it: the process may then handle task types that are not listed.
   */
  readonly isComplete: boolean;
}

export function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** Returns a key that is the same for all streams of one worker, and another one for its single calls. */
export function workerKey({ name, id, ...kind }: WorkerView): string {
  return JSON.stringify([name, id, kindKey(kind)]);
}

function kindKey({ tenant, queues, types, maxVersions, polls }: Omit<WorkerView, 'name' | 'id'>): string {
  return JSON.stringify([tenant, queues, types, maxVersions, polls]);
}

function asNamed({ name, id, inFlight, reserved, connectedAtMs, types, room }: WorkerView): NamedWorker {
  const full = room?.fullTypes.map((type) => types.indexOf(type)).slice(0, maxFullTypes) ?? [];
  return {
    ...{ name, id, inFlight, ...(reserved > 0 && { reserved }), connectedAtMs },
    ...(room !== undefined && { free: room.freeTasks }),
    ...(full.length > 0 && { full }),
  };
}

/** Returns how many further tasks some workers together could take, or undefined if a node has not said it of one of them. */
function freeOf(workers: readonly WorkerView[]): number | undefined {
  return workers.reduce<number | undefined>(
    (sum, { room }) => (sum === undefined || room === undefined ? undefined : sum + room.freeTasks),
    0,
  );
}

/**
 * Builds the announcement of a process's workers. It counts the workers of each kind (set of queues and types), up to
 * `maxKindsBytes`, and lists the first 50 workers in the order of their names. In the order of the workers' streams the
 * list would change each time a stream is opened again.
 */
export function announcementOf(
  identity: Pick<WorkerAnnouncement, 'id' | 'node' | 'writtenAtMs'>,
  workers: readonly WorkerView[],
  areAllKnown = true,
): WorkerAnnouncement {
  const byName = workers.toSorted((a, b) => a.name.localeCompare(b.name));
  const named = new Set(byName.slice(0, maxNamedWorkers));
  const all = [...Map.groupBy(byName, kindKey).values()];
  const kinds: WorkerKind[] = [];
  let bytes = 0;
  for (const group of all) {
    const [first] = group;
    if (first === undefined) continue;
    const { tenant, queues, types, maxVersions, polls } = first;
    const unnamed = group.filter((worker) => !named.has(worker));
    const free = unnamed.length === 0 ? undefined : freeOf(unnamed);
    const kind: WorkerKind = {
      ...{ tenant, queues, types, maxVersions },
      ...(polls && { polls }),
      ...{ count: group.length, named: [] },
      ...(free !== undefined && { free }),
    };
    bytes += bytesOf(kind);
    if (bytes > maxKindsBytes) break;
    kinds.push({ ...kind, named: group.filter((worker) => named.has(worker)).map(asNamed) });
  }
  const isComplete = areAllKnown && kinds.length === all.length;
  return { format: announcementFormat, ...identity, count: workers.length, kinds, isComplete };
}

/** Returns the worker announcement in a registry entry, or undefined if the entry has the format of another version. */
export function announcementIn({ value }: Pick<RegistryEntry, 'value'>): WorkerAnnouncement | undefined {
  const announcement = value as WorkerAnnouncement | null;
  return announcement?.format === announcementFormat ? announcement : undefined;
}

/** Returns true if the announcement contains at least one worker and is not older than `announcementLastsMs`. */
export function isCurrent(announcement: WorkerAnnouncement | undefined, nowMs: number): boolean {
  if (announcement === undefined || announcement.count === 0) return false;
  return Math.abs(nowMs - announcement.writtenAtMs) < announcementLastsMs;
}

/**
 * Returns true if another version of Holdfast wrote this entry less than `announcementLastsMs` ago: a process then has
 * workers that this version cannot list, and its entry must not be overwritten.
 */
export function isOfOtherVersion(entry: Pick<RegistryEntry, 'value'>, nowMs: number): boolean {
  if (announcementIn(entry) !== undefined) return false;
  const { writtenAtMs } = (entry.value ?? {}) as { readonly writtenAtMs?: unknown };
  return typeof writtenAtMs === 'number' && Math.abs(nowMs - writtenAtMs) < announcementLastsMs;
}

function roomOf(
  { free, full = [] }: Pick<NamedWorker, 'free' | 'full'>,
  types: readonly string[],
  announcedAtMs: number,
): { readonly room?: WorkerRoom } {
  if (free === undefined) return {};
  return { room: { freeTasks: free, fullTypes: full.map((place) => types[place] ?? ''), announcedAtMs } };
}

export function namedWorkersOf({ node, kinds, writtenAtMs }: WorkerAnnouncement): WorkerView[] {
  return kinds.flatMap(({ named, count: _count, free: _free, ...kind }) =>
    named.map(({ free, full, ...one }) => ({
      ...{ polls: false, ...kind, reserved: 0, ...one, node, unlistedCount: 0 },
      ...roomOf({ free, full }, kind.types, writtenAtMs),
    })),
  );
}

/**
 * Returns one entry with an empty name for each kind (set of queues and types) with workers that the announcement does not
 * list by name; the entry has the number of these workers.
 */
export function unnamedWorkersOf({ node, kinds, writtenAtMs }: WorkerAnnouncement): WorkerView[] {
  return kinds
    .filter(({ count, named }) => count > named.length)
    .map(({ count, named, free, ...kind }) => {
      const unnamed = {
        name: '',
        id: '',
        inFlight: 0,
        reserved: 0,
        connectedAtMs: 0,
        unlistedCount: count - named.length,
      };
      return { polls: false, ...kind, ...unnamed, node, ...roomOf({ free }, kind.types, writtenAtMs) };
    });
}
