import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { LaneKey, LanePointer, TaskId } from '../../ports/task-store.ts';
import type { AwsContext } from './context.ts';
import { placeOf } from './ids.ts';
import { type Item, laneTailKey, pointerKey, pointerRange, seqOfPointer, ttlName } from './keys.ts';
import { n, numberOf, s, ttlOf } from './rows.ts';
import { load } from './snapshots.ts';

/** The tail outlives every task of its lane by so much, so that its numbers never begin anew under one. */
const tailOutlivesMs = 30 * 86_400_000;

export interface Tail {
  readonly seq: number;
  /** Seconds. */
  readonly ttl: number;
}

/** Of a lane nobody was in yet: nothing was given. */
const noTail: Tail = { seq: 0, ttl: 0 };

export function tailOf(item: Item | undefined): Tail {
  return item === undefined ? noTail : { seq: numberOf(item.t) ?? 0, ttl: numberOf(item[ttlName]) ?? 0 };
}

export async function readTail(context: AwsContext, lane: LaneKey): Promise<Tail> {
  const key = laneTailKey(lane);
  return tailOf((await context.calls.get('lane', [key], true)).at(key));
}

/** Moves the tail on by some places, if it stands where it was read. */
export function advanceTail(
  lane: LaneKey,
  tail: Tail,
  places: number,
  expiresAtMs: number,
): TransactWriteItem {
  const outlives = numberOf(ttlOf(expiresAtMs + tailOutlivesMs)) ?? 0;
  const fresh = tail.seq === 0;
  return {
    Update: {
      TableName: undefined,
      Key: { ...laneTailKey(lane) },
      UpdateExpression: 'SET #t = :next, #x = :ttl',
      ConditionExpression: fresh ? 'attribute_not_exists(pk)' : '#t = :read',
      ExpressionAttributeNames: { '#t': 't', '#x': ttlName },
      ExpressionAttributeValues: {
        ':next': n(tail.seq + places),
        ':ttl': n(Math.max(tail.ttl, outlives)),
        ...(fresh ? {} : { ':read': n(tail.seq) }),
      },
    },
  };
}

export function putPointer(lane: LaneKey, seq: number, id: TaskId, expiresAtMs: number): TransactWriteItem {
  const item: Item = {
    ...pointerKey(lane, seq),
    id: s(id),
    e: n(expiresAtMs),
    [ttlName]: ttlOf(expiresAtMs),
  };
  return { Put: { TableName: undefined, Item: item } };
}

export interface Pointer extends LanePointer {
  readonly expiresAtMs: number;
}

/** A page of a lane's pointers after a place, in their order, by a consistent read. */
export async function pointers(
  context: AwsContext,
  lane: LaneKey,
  after: number,
  limit: number,
): Promise<{ pointers: Pointer[]; more: boolean }> {
  const { pk, from, to } = pointerRange(lane, after);
  const page = await context.calls.query('lane', {
    KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
    ExpressionAttributeValues: { ':pk': s(pk), ':from': s(from), ':to': s(to) },
    ConsistentRead: true,
    Limit: limit,
  });
  const found = page.items.map((item) => ({
    id: item.id?.S ?? '',
    seq: seqOfPointer(item.sk?.S ?? ''),
    expiresAtMs: numberOf(item.e) ?? 0,
  }));
  return { pointers: found, more: page.next !== undefined };
}

/** An expired task holds no lane, deleted or not. */
export async function lowestOf(context: AwsContext, lane: LaneKey): Promise<LanePointer | undefined> {
  let after = 0;
  // Nearly always the first one.
  for (let limit = 1; ; limit = 100) {
    const page = await pointers(context, lane, after, limit);
    const nowMs = context.clock.now();
    const lowest = page.pointers.find((pointer) => pointer.expiresAtMs > nowMs);
    if (lowest !== undefined) return { id: lowest.id, seq: lowest.seq };
    const last = page.pointers.at(-1);
    if (!page.more || last === undefined) return undefined;
    after = last.seq;
  }
}

async function seqOf(context: AwsContext, id: TaskId): Promise<number | undefined> {
  const place = placeOf(id);
  return place && (await load(context, place, 'lane'))?.snapshot.laneSeq;
}

/** A place is given once, so that the condition only spares a place that was never this task's. */
export async function leaveLane(
  context: AwsContext,
  lane: LaneKey,
  id: TaskId,
  seq: number | undefined,
): Promise<void> {
  const place = seq ?? (await seqOf(context, id));
  if (place === undefined) return;
  await context.calls.delete('lane', {
    Key: { ...pointerKey(lane, place) },
    ConditionExpression: 'id = :id',
    ExpressionAttributeValues: { ':id': s(id) },
  });
}
