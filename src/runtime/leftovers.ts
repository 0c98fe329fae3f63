import type { Registered, Registry } from '../ports/registry.ts';
import type { QueueRef, TaskId } from '../ports/task-store.ts';

const kind = 'unfinished';
export const hourMs = 3_600_000;
/** Of each queue as many notes are kept: 16 days of them, which is longer than the last look comes after the first. */
const notes = 384;
/** More are not named: then the whole hour is looked through again. */
const mostNamed = 20;

/** What the first look found unfinished of one queue's submissions of one hour. Absent `ids`: more than are named. */
export interface Leftover {
  readonly hour: number;
  readonly ids?: readonly TaskId[];
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

function joined(before: Leftover | undefined, hour: number, ids: readonly TaskId[]): Leftover {
  if (before?.hour !== hour) return ids.length > mostNamed ? { hour } : { hour, ids };
  if (before.ids === undefined) return before;
  const all = [...new Set([...before.ids, ...ids])];
  if (all.length === before.ids.length) return before;
  return all.length > mostNamed ? { hour } : { hour, ids: all };
}

/** Adds to the note of an hour, whoever else does so at the same time. */
export async function leave(
  registry: Registry,
  queue: QueueRef,
  hour: number,
  ids: readonly TaskId[],
): Promise<void> {
  const key = keyOf(queue, hour);
  for (;;) {
    const found = await registry.get(kind, key);
    const before = found?.value as Leftover | undefined;
    // The note of a later hour stands: this one is behind the last look.
    if (before !== undefined && before.hour > hour) return;
    const next = joined(before, hour, ids);
    if (next === before || (await registry.put(kind, key, next, found?.rev ?? 'absent'))) return;
  }
}
