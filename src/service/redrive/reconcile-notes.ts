import { delayMs } from '../../core/backoff.ts';
import { type QueueRef, queueKey } from '../../core/queue-ref.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Registry, RegistryEntry } from '../../ports/registry.ts';
import type { TaskId } from '../../ports/task-store.ts';

const kind = 'unfinished';
export const hourMs = 3_600_000;
/**
 * The number of unfinished notes kept for each queue. Each note lists the unfinished tasks of one hour of
 * submissions. 384 hours are 16 days, which is longer than the time from the first to the last reconcile pass
 * (search for lost dispatch messages) over the tasks of one hour.
 */
const notesPerQueue = 384;
/**
 * The maximum number of task ids in an unfinished note. If more tasks of the hour are unfinished, the note
 * names none of them, and the reconcile passes examine all tasks that were submitted in that hour again.
 */
const maxNamedTasks = 20;

/** The unfinished tasks among one queue's submissions of one hour. `ids` is absent if there are too many to name. */
export interface HourNote {
  readonly hour: number;
  readonly ids?: readonly TaskId[];
}

/**
 * The unfinished note of an hour: the tasks submitted in that hour that the first reconcile pass found unfinished, and
 * older tasks that are examined together with them.
 */
export interface UnfinishedNote extends HourNote {
  readonly carried?: readonly HourNote[];
}

function prefixOf(queue: QueueRef): string {
  return `${queueKey(queue)}/`;
}

function keyOf(queue: QueueRef, hour: number): string {
  return `${prefixOf(queue)}${hour % notesPerQueue}`;
}

/**
 * The maximum number of hours whose unfinished notes are read one by one. For more hours, one read of all notes of the
 * queue costs less.
 */
const maxSingleReads = 2;

/** Returns a queue's unfinished notes of the hours from `first` to `last`, oldest first. */
export async function unfinishedNotesOf(
  registry: Registry,
  queue: QueueRef,
  first: number,
  last: number,
): Promise<readonly UnfinishedNote[]> {
  const found: (RegistryEntry | undefined)[] = [];
  if (last - first >= maxSingleReads) found.push(...(await registry.list(kind, prefixOf(queue))));
  else for (let hour = first; hour <= last; hour++) found.push(await registry.get(kind, keyOf(queue, hour)));
  return found
    .map((one) => one?.value as UnfinishedNote | undefined)
    .filter((note) => note !== undefined && note.hour >= first && note.hour <= last)
    .sort((a, b) => (a?.hour ?? 0) - (b?.hour ?? 0)) as UnfinishedNote[];
}

/** Merges two lists of unfinished tasks of the same hour. */
function mergeNotes(one: HourNote, other: HourNote): HourNote {
  const { hour } = one;
  if (one.ids === undefined || other.ids === undefined) return { hour };
  const ids = [...new Set([...one.ids, ...other.ids])];
  return ids.length > maxNamedTasks ? { hour } : { hour, ids };
}

/** The registry that stores the unfinished notes, and the clock for the pauses between tries to write a note. */
export interface NoteStore {
  readonly registry: Registry;
  readonly clock: Pick<Clock, 'random' | 'sleep'>;
}

/**
 * The maximum random pause before a note is written again because another process changed it first, in ms. The maximum is
 * `firstMs` after the first such conflict, and doubles with each further one up to `longestMs`.
 */
const raceBackoff = { firstMs: 20, longestMs: 1_000 } as const;

/** Changes the unfinished note of an hour, and tries again if another process changed the note at the same time. */
async function updateNote(
  { registry, clock }: NoteStore,
  queue: QueueRef,
  hour: number,
  next: (before: UnfinishedNote) => UnfinishedNote,
): Promise<void> {
  const key = keyOf(queue, hour);
  for (let lostRaces = 0; ; lostRaces++) {
    const found = await registry.get(kind, key);
    const current = found?.value as UnfinishedNote | undefined;
    // The registry key already holds the note of a later hour, so the last reconcile pass over the given hour is over.
    if (current !== undefined && current.hour > hour) return;
    const before = current?.hour === hour ? current : { hour, ids: [] };
    const after = next(before);
    if (JSON.stringify(after) === JSON.stringify(before)) return;
    if (await registry.put(kind, key, after, found?.rev ?? 'absent')) return;
    await clock.sleep(clock.random() * delayMs(raceBackoff, lostRaces));
  }
}

/** Adds unfinished tasks to the unfinished note of the hour in which they were submitted. */
export function addNote(
  store: NoteStore,
  queue: QueueRef,
  hour: number,
  ids: readonly TaskId[],
): Promise<void> {
  return updateNote(store, queue, hour, ({ carried, ...before }) => {
    const own = mergeNotes(before, { hour, ids });
    return carried === undefined ? own : { ...own, carried };
  });
}

/**
 * The maximum number of ids of older tasks in an unfinished note, because a note is one registry item of at most 400 KB.
 * With more of them, the note has only the hours in which the older tasks were submitted.
 */
const maxCarriedNames = 1_000;

function withoutNamesIfMany(carried: readonly HourNote[]): readonly HourNote[] {
  const names = carried.reduce((sum, { ids }) => sum + (ids?.length ?? 0), 0);
  return names > maxCarriedNames ? carried.map(({ hour }) => ({ hour })) : carried;
}

/**
 * Adds tasks of earlier hours to the unfinished note of an hour. The reconcile passes then examine these tasks as often,
 * and after the same times, as the tasks that were submitted in that hour.
 */
export async function carryForward(
  store: NoteStore,
  queue: QueueRef,
  hour: number,
  carried: readonly HourNote[],
): Promise<void> {
  if (carried.length === 0) return;
  await updateNote(store, queue, hour, (before) => {
    const all = new Map((before.carried ?? []).map((note) => [note.hour, note]));
    for (const note of carried)
      all.set(note.hour, mergeNotes(note, all.get(note.hour) ?? { hour: note.hour, ids: [] }));
    const sorted = [...all.values()].sort((a, b) => a.hour - b.hour);
    return { ...before, carried: withoutNamesIfMany(sorted) };
  });
}
