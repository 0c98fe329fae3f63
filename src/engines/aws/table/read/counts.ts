import { limits } from '../../../../core/limits.ts';
import { shownState } from '../../../../core/task/head.ts';
import type { QueueCounts, QueueRef } from '../../../../ports/task-store.ts';
import type { AwsContext } from '../context.ts';
import { headIfWhole, isGone, ownHead } from '../items/rows.ts';
import { placeOf } from '../schema/ids.ts';
import { headKey } from '../schema/keys.ts';
import { Entries } from './index-scan.ts';

/**
 * Counts the newest tasks of a queue, as many as a page of a list may look at, and its dead ones by their index: with
 * more than that the numbers are the least there are, and say so. Counters would cost every task two writes.
 */
export async function countsOf(context: AwsContext, queue: QueueRef, nowMs: number): Promise<QueueCounts> {
  const counts = { scheduled: 0, ready: 0, running: 0, dead: 0 };
  const { tenant, queue: name } = queue;
  const most = limits.pageExamined;
  const tasks = await Entries.from(context, { tenant, queue: name }, undefined, most);
  const listed = await tasks.next(most + 1);
  const alive = listed.slice(0, most).filter((entry) => !isGone(entry.item, nowMs));
  const places = alive.map((entry) => placeOf(entry.id)).filter((place) => place !== undefined);
  const heads = await context.calls.get('list', places.map(headKey), false);
  for (const place of places) {
    const item = ownHead(place, heads.at(headKey(place)));
    const head = item && headIfWhole(item);
    if (item !== undefined && head === undefined) continue;
    const state = head === undefined ? 'ready' : shownState(head);
    if (state === 'ready' || state === 'scheduled' || state === 'running') counts[state]++;
  }
  const filter = { tenant, queue: name, state: 'dead' } as const;
  const dead = await (await Entries.from(context, filter, undefined, most)).next(most + 1);
  counts.dead = dead.slice(0, most).filter((entry) => !isGone(entry.item, nowMs)).length;
  return listed.length > most || dead.length > most ? { ...counts, atLeast: true } : counts;
}
