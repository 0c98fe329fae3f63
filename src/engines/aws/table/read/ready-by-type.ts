import { limits } from '../../../../core/limits.ts';
import type { QueueRef } from '../../../../core/queue-ref.ts';
import { listedState } from '../../../../core/task/head.ts';
import { readySinceMs } from '../../../../core/task/ready-since.ts';
import type { ReadyGroup, Snapshot } from '../../../../ports/task-store.ts';
import type { AwsContext } from '../context.ts';
import { headIfReadable, isExpired, ownHead } from '../items/rows.ts';
import { addressOf, type ItemAddress } from '../schema/ids.ts';
import { headKey } from '../schema/keys.ts';
import { IndexScan } from './index-scan.ts';
import { isFirst } from './lane-order.ts';
import { loadReadable } from './snapshots.ts';

/** The submissions of at most so many types are read. */
const mostTypes = 20;
/** The submissions of so many tasks of each type are read, the tasks that were accepted first. */
const oldest = 2;

/**
 * Returns the ready tasks among the newest tasks of a queue, as many as one page of a list may examine. Only their heads
 * are read, and of each type the tasks that were accepted first. A task that waits for its turn in a lane is counted too:
 * its head does not show whether it is the first.
 */
export async function readyByType(
  context: AwsContext,
  { tenant, queue }: QueueRef,
  nowMs: number,
): Promise<readonly ReadyGroup[]> {
  const scan = await IndexScan.open(context, { tenant, queue }, undefined, limits.pageExamined);
  const entries = (await scan.next(limits.pageExamined)).filter(({ item }) => !isExpired(item, nowMs));
  const addresses = entries.map(({ id }) => addressOf(id));
  const known = addresses.filter((address) => address !== undefined);
  const heads = await context.calls.get('list', known.map(headKey), false);
  const ready = entries.flatMap(({ type = '' }, i) => {
    const address = addresses[i];
    if (address === undefined) return [];
    const item = ownHead(address, heads.get(headKey(address)));
    const head = item && headIfReadable(item);
    const isReady = item === undefined || (head !== undefined && listedState(head) === 'ready');
    return isReady ? [{ type, address }] : [];
  });
  // The newest task is the first one.
  const byType = Map.groupBy(ready.toReversed(), ({ type }) => type);
  const groups = [...byType].slice(0, mostTypes).map(async ([type, tasks]) => {
    const first = await firstOf(
      context,
      tasks.slice(0, oldest).map(({ address }) => address),
    );
    return { type, tasks: tasks.length, ...first };
  });
  return Promise.all(groups);
}

async function firstOf(
  context: AwsContext,
  addresses: readonly ItemAddress[],
): Promise<Pick<ReadyGroup, 'typeVersion' | 'readySinceMs'>> {
  const loaded = (await loadReadable(context, addresses)).filter((task) => task !== undefined);
  let sinceMs: number | undefined;
  for (const { snapshot } of loaded) {
    if (listedState(snapshot.head) !== 'ready' || !(await hasTurn(context, snapshot))) continue;
    sinceMs = Math.min(sinceMs ?? Number.POSITIVE_INFINITY, readySinceMs(snapshot));
  }
  return { typeVersion: loaded[0]?.snapshot.submission.typeVersion ?? 1, readySinceMs: sinceMs };
}

async function hasTurn(context: AwsContext, { submission, laneSeq }: Snapshot): Promise<boolean> {
  const { scope, orderingKey } = submission;
  if (orderingKey === undefined) return true;
  const lane = { tenant: scope.tenant, queue: scope.queue, orderingKey };
  return laneSeq !== undefined && isFirst(context, lane, laneSeq);
}
