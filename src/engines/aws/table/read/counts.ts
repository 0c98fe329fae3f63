import { limits } from '../../../../core/limits.ts';
import type { QueueRef } from '../../../../core/queue-ref.ts';
import { listedState } from '../../../../core/task/head.ts';
import type { QueueCounts } from '../../../../ports/task-store.ts';
import type { AwsContext } from '../context.ts';
import { headIfReadable, isExpired, ownHead } from '../items/rows.ts';
import { addressOf } from '../schema/ids.ts';
import { headKey } from '../schema/keys.ts';
import { IndexScan } from './index-scan.ts';

/**
 * Counts the newest tasks of a queue, as many as one page of a list may examine, and as many dead tasks by the
 * exceptions index. If the queue has more tasks, the counts are lower bounds and the result says `atLeast`. Counters
 * in the table would cost two writes for every task.
 */
export async function countsOf(context: AwsContext, queue: QueueRef, nowMs: number): Promise<QueueCounts> {
  const counts = { scheduled: 0, ready: 0, running: 0, dead: 0 };
  const { tenant, queue: name } = queue;
  const most = limits.pageExamined;
  const tasks = await IndexScan.open(context, { tenant, queue: name }, undefined, most);
  const listed = await tasks.next(most + 1);
  const alive = listed.slice(0, most).filter((entry) => !isExpired(entry.item, nowMs));
  const addresses = alive.map((entry) => addressOf(entry.id)).filter((address) => address !== undefined);
  const heads = await context.calls.get('list', addresses.map(headKey), false);
  for (const address of addresses) {
    const item = ownHead(address, heads.get(headKey(address)));
    const head = item && headIfReadable(item);
    if (item !== undefined && head === undefined) continue;
    const state = head === undefined ? 'ready' : listedState(head);
    if (state === 'ready' || state === 'scheduled' || state === 'running') counts[state]++;
  }
  const filter = { tenant, queue: name, state: 'dead' } as const;
  const dead = await (await IndexScan.open(context, filter, undefined, most)).next(most + 1);
  counts.dead = dead.slice(0, most).filter((entry) => !isExpired(entry.item, nowMs)).length;
  return listed.length > most || dead.length > most ? { ...counts, atLeast: true } : counts;
}
