/** What a process tells the others of its workers: one registry entry, kept small. Pure. */
import type { WorkerView } from '../service.ts';

export const workersKind = 'worker';
/** A line that is older counts for nothing: its process is gone, or cannot write. Three times as long as it is due in. */
export const lineLastsMs = 180_000;
/** About what one line takes in the store, in bytes: 80 workers of one kind that have short names. */
export const mostLineBytes = 8_192;

interface Named extends Pick<WorkerView, 'name' | 'id' | 'inFlight' | 'connectedAtMs'> {}

/** Workers of one kind: what is alike in them is told once. At least one is named. */
interface Alike extends Pick<WorkerView, 'tenant' | 'queues' | 'types' | 'maxVersions' | 'othersAlike'> {
  readonly workers: readonly Named[];
}

export interface WorkersLine {
  /** Of one life of one process. */
  readonly id: string;
  readonly node: string;
  /** By the process's clock, which AWS's answers correct. */
  readonly writtenAtMs: number;
  readonly kinds: readonly Alike[];
  /** False: there are workers of other kinds, too, that found no room. */
  readonly isComplete: boolean;
}

export function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** One worker, however many streams it has at the moment. */
export function workerKey({ tenant, name, id, queues, types, maxVersions }: WorkerView): string {
  return JSON.stringify([tenant, name, id, queues, types, maxVersions]);
}

function kindOf({ tenant, queues, types, maxVersions }: WorkerView): string {
  return JSON.stringify([tenant, queues, types, maxVersions]);
}

function named({ name, id, inFlight, connectedAtMs }: WorkerView): Named {
  return { name, id, inFlight, connectedAtMs };
}

/** Names as many as have room beside what was told before; answers with the bytes that all of it takes. */
function fill(kind: Alike, others: readonly WorkerView[], bytes: number): { kind: Alike; bytes: number } {
  const workers = [...kind.workers];
  let taken = bytes;
  for (const worker of others.map(named)) {
    const more = bytesOf(worker);
    if (taken + more > mostLineBytes) break;
    taken += more;
    workers.push(worker);
  }
  const othersAlike = others.length + 1 - workers.length;
  return { kind: { ...kind, workers, othersAlike }, bytes: taken };
}

/** Every kind before the second worker of any, the most frequent kinds first; the first of them whatever it takes. */
export function lineOf(
  who: Pick<WorkersLine, 'id' | 'node' | 'writtenAtMs'>,
  workers: readonly WorkerView[],
): WorkersLine {
  const all = [...Map.groupBy(workers, kindOf).values()].sort((a, b) => b.length - a.length);
  const told: { kind: Alike; others: readonly WorkerView[] }[] = [];
  let bytes = 0;
  for (const [first, ...others] of all) {
    if (first === undefined) continue;
    const { tenant, queues, types, maxVersions } = first;
    const kind = { tenant, queues, types, maxVersions, workers: [named(first)], othersAlike: 0 };
    const more = bytesOf(kind);
    if (told.length > 0 && bytes + more > mostLineBytes) continue;
    bytes += more;
    told.push({ kind, others });
  }
  const kinds = told.map(({ kind, others }) => {
    const filled = fill(kind, others, bytes);
    bytes = filled.bytes;
    return filled.kind;
  });
  return { ...who, kinds, isComplete: kinds.length === all.length };
}

/** The line says something, and was written lately. */
export function isCurrent({ kinds, writtenAtMs }: WorkersLine, nowMs: number): boolean {
  return kinds.length > 0 && Math.abs(nowMs - writtenAtMs) < lineLastsMs;
}

export function workersOf({ node, kinds }: WorkersLine): WorkerView[] {
  return kinds.flatMap(({ workers, othersAlike, ...alike }) =>
    workers.map((one, i) => ({ ...alike, ...one, node, othersAlike: i === 0 ? othersAlike : 0 })),
  );
}
