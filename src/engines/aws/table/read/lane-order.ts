/**
 * Decides which task of a lane may start. DynamoDB reads items that one transaction wrote together only in a transaction: a
 * Query beside a TransactWriteItems request is read-committed and may find a later place of a batch while an earlier one is
 * not visible yet. (docs/decisions/019-a-start-rests-on-no-torn-query.md)
 */
import type { LaneKey, TaskId } from '../../../../ports/task-store.ts';
import { storeContended } from '../../sdk/errors.ts';
import type { AwsContext } from '../context.ts';
import { numberOf, s } from '../items/rows.ts';
import { addressOf } from '../schema/ids.ts';
import { pointerKey } from '../schema/keys.ts';
import { lowestOf } from './lanes.ts';
import { load } from './snapshots.ts';

/**
 * Returns true if the place exists and its task has not expired, by a read that is serializable beside transactions.
 */
async function isTaken(context: AwsContext, lane: LaneKey, seq: number): Promise<boolean> {
  const key = pointerKey(lane, seq);
  const pointer = (await context.calls.transactGet('lane', [key])).get(key);
  return pointer !== undefined && (numberOf(pointer.e) ?? 0) > context.clock.now();
}

/**
 * Returns true if every earlier place of the lane was left. The place before decides whether an earlier place can be hidden
 * from the Query: a place is left only after all earlier ones were left, or while the place before it is visible
 * (`leaveLane`). So if the place before was left, the Query that follows shows each earlier place that was not.
 */
export async function isFirst(context: AwsContext, lane: LaneKey, seq: number): Promise<boolean> {
  const { firstPlaces } = context;
  if (seq === 1 || firstPlaces.isKnown(lane, seq)) return true;
  if (await isTaken(context, lane, seq - 1)) return false;
  const lowest = await lowestOf(context, lane);
  if (lowest !== undefined && lowest.seq < seq) return false;
  firstPlaces.put(lane, seq);
  return true;
}

const tries = 8;

async function isVisible(context: AwsContext, lane: LaneKey, seq: number): Promise<boolean> {
  const { pk, sk } = pointerKey(lane, seq);
  const { items } = await context.calls.query('lane', {
    KeyConditionExpression: 'pk = :pk AND sk = :sk',
    ExpressionAttributeValues: { ':pk': pk, ':sk': sk },
    ConsistentRead: true,
  });
  return items.length > 0;
}

/**
 * Waits until the place before is visible to a Query or was left. A task that ends in the middle of its lane must not leave
 * earlier: its place would no longer tell that an earlier one may be hidden.
 */
async function untilPlaceBeforeShows(context: AwsContext, lane: LaneKey, seq: number): Promise<void> {
  for (let i = 0; i < tries; i++) {
    if (await isVisible(context, lane, seq - 1)) return;
    if (!(await isTaken(context, lane, seq - 1))) return;
    await context.calls.pause('lane', i);
  }
  throw storeContended('one lane');
}

async function seqOf(context: AwsContext, id: TaskId): Promise<number | undefined> {
  const address = addressOf(id);
  return address && (await load(context, address, 'lane'))?.snapshot.laneSeq;
}

/**
 * Deletes the pointer to a task from the lane. A place in a lane is given out only once, so the condition only
 * protects a place that never belonged to this task.
 */
export async function leaveLane(
  context: AwsContext,
  lane: LaneKey,
  id: TaskId,
  seq: number | undefined,
  wasFirst: boolean,
): Promise<void> {
  const laneSeq = seq ?? (await seqOf(context, id));
  if (laneSeq === undefined) return;
  const isFirstPlace = wasFirst || laneSeq === 1 || context.firstPlaces.isKnown(lane, laneSeq);
  if (!isFirstPlace) await untilPlaceBeforeShows(context, lane, laneSeq);
  const result = await context.calls.delete('lane', {
    Key: { ...pointerKey(lane, laneSeq) },
    ConditionExpression: 'id = :id',
    ExpressionAttributeValues: { ':id': s(id) },
  });
  const isLeft = result.ok || result.current === undefined;
  if (isLeft && isFirstPlace) context.firstPlaces.put(lane, laneSeq + 1);
}
