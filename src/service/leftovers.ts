import type { Registered, Registry } from '../ports/registry.ts';
import type { QueueRef, TaskId } from '../ports/task-store.ts';

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

/** Changes the note of an hour, whoever else does so at the same time. */
async function change(
  registry: Registry,
  queue: QueueRef,
  hour: number,
  next: (before: Leftover) => Leftover,
): Promise<void> {
  const key = keyOf(queue, hour);
  for (;;) {
    const found = await registry.get(kind, key);
    const stood = found?.value as Leftover | undefined;
    // The note of a later hour stands: this one is behind the last look.
    if (stood !== undefined && stood.hour > hour) return;
    const before = stood?.hour === hour ? stood : { hour, ids: [] };
    const after = next(before);
    if (JSON.stringify(after) === JSON.stringify(before)) return;
    if (await registry.put(kind, key, after, found?.rev ?? 'absent')) return;
  }
}

/** Adds to what was left of an hour's own submissions. */
export function leave(
  registry: Registry,
  queue: QueueRef,
  hour: number,
  ids: readonly TaskId[],
): Promise<void> {
  return change(registry, queue, hour, ({ carried, ...before }) => {
    const own = joined(before, { hour, ids });
    return carried === undefined ? own : { ...own, carried };
  });
}

/** Adds what is looked at again along with an hour: as often, and as long after it, as if it were submitted then. */
export async function carry(
  registry: Registry,
  queue: QueueRef,
  hour: number,
  carried: readonly Note[],
): Promise<void> {
  if (carried.length === 0) return;
  await change(registry, queue, hour, (before) => {
    const all = new Map((before.carried ?? []).map((note) => [note.hour, note]));
    for (const note of carried)
      all.set(note.hour, joined(note, all.get(note.hour) ?? { hour: note.hour, ids: [] }));
    return { ...before, carried: [...all.values()].sort((a, b) => a.hour - b.hour) };
  });
}
