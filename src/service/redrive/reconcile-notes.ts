import type { Clock } from '../../ports/clock.ts';
import type { Registered, Registry } from '../../ports/registry.ts';
import type { QueueRef, TaskId } from '../../ports/task-store.ts';

const kind = 'unfinished';
export const hourMs = 3_600_000;
/** Of each queue as many notes are kept: 16 days of them, which is longer than the last look comes after the first. */
const notes = 384;
/** More are not named: then the whole hour is looked through again. */
const mostNamed = 20;

/** What is unfinished of one queue's submissions of one hour. Absent `ids`: more than are named. */
export interface Note {
  readonly hour: number;
  readonly ids?: readonly TaskId[];
}

/** What the first look left of an hour; and what is looked at along with it, though it was submitted before. */
export interface Leftover extends Note {
  readonly carried?: readonly Note[];
}

function prefixOf({ tenant, queue }: QueueRef): string {
  return `${tenant}/${queue}/`;
}

function keyOf(queue: QueueRef, hour: number): string {
  return `${prefixOf(queue)}${hour % notes}`;
}

/** Of more hours it costs less to read all notes of the queue. */
const mostAsked = 2;

/** The notes of hours from the first to the last, oldest first. */
export async function leftoversOf(
  registry: Registry,
  queue: QueueRef,
  first: number,
  last: number,
): Promise<readonly Leftover[]> {
  const found: (Registered | undefined)[] = [];
  if (last - first >= mostAsked) found.push(...(await registry.list(kind, prefixOf(queue))));
  else for (let hour = first; hour <= last; hour++) found.push(await registry.get(kind, keyOf(queue, hour)));
  return found
    .map((one) => one?.value as Leftover | undefined)
    .filter((note) => note !== undefined && note.hour >= first && note.hour <= last)
    .sort((a, b) => (a?.hour ?? 0) - (b?.hour ?? 0)) as Leftover[];
}

/** Of one hour. */
function joined(one: Note, other: Note): Note {
  const { hour } = one;
  if (one.ids === undefined || other.ids === undefined) return { hour };
  const ids = [...new Set([...one.ids, ...other.ids])];
  return ids.length > mostNamed ? { hour } : { hour, ids };
}

/** What the notes are kept in, and the time between tries. */
export interface NoteBook {
  readonly registry: Registry;
  readonly clock: Pick<Clock, 'random' | 'sleep'>;
}

/** After a lost race, at random up to so long, doubled with each. */
const firstPauseMs = 20;
const longestPauseMs = 1_000;

/** Changes the note of an hour, whoever else does so at the same time. */
async function change(
  { registry, clock }: NoteBook,
  queue: QueueRef,
  hour: number,
  next: (before: Leftover) => Leftover,
): Promise<void> {
  const key = keyOf(queue, hour);
  for (let ms = firstPauseMs; ; ms = Math.min(longestPauseMs, 2 * ms)) {
    const found = await registry.get(kind, key);
    const current = found?.value as Leftover | undefined;
    // The note of a later hour stands: this one is behind the last look.
    if (current !== undefined && current.hour > hour) return;
    const before = current?.hour === hour ? current : { hour, ids: [] };
    const after = next(before);
    if (JSON.stringify(after) === JSON.stringify(before)) return;
    if (await registry.put(kind, key, after, found?.rev ?? 'absent')) return;
    await clock.sleep(clock.random() * ms);
  }
}

/** Adds to what was left of an hour's own submissions. */
export function leave(book: NoteBook, queue: QueueRef, hour: number, ids: readonly TaskId[]): Promise<void> {
  return change(book, queue, hour, ({ carried, ...before }) => {
    const own = joined(before, { hour, ids });
    return carried === undefined ? own : { ...own, carried };
  });
}

/** A note is one item of the registry, and some 400 KB is the most that one holds: without names it is small. */
const mostCarriedNames = 1_000;

function withoutNamesIfMany(carried: readonly Note[]): readonly Note[] {
  const names = carried.reduce((sum, { ids }) => sum + (ids?.length ?? 0), 0);
  return names > mostCarriedNames ? carried.map(({ hour }) => ({ hour })) : carried;
}

/** Adds what is looked at again along with an hour: as often, and as long after it, as if it were submitted then. */
export async function carry(
  book: NoteBook,
  queue: QueueRef,
  hour: number,
  carried: readonly Note[],
): Promise<void> {
  if (carried.length === 0) return;
  await change(book, queue, hour, (before) => {
    const all = new Map((before.carried ?? []).map((note) => [note.hour, note]));
    for (const note of carried)
      all.set(note.hour, joined(note, all.get(note.hour) ?? { hour: note.hour, ids: [] }));
    const sorted = [...all.values()].sort((a, b) => a.hour - b.hour);
    return { ...before, carried: withoutNamesIfMany(sorted) };
  });
}
