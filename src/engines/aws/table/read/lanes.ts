import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { LaneKey, LanePointer, TaskId } from '../../../../ports/task-store.ts';
import type { AwsContext } from '../context.ts';
import { n, numberOf, s, ttlOf } from '../items/rows.ts';
import { placeOf } from '../schema/ids.ts';
import { type Item, laneTailKey, pointerKey, pointerRange, seqOfPointer, ttlName } from '../schema/keys.ts';
import { load } from './snapshots.ts';

/** The tail outlives every task of its lane by so much, so that its numbers never begin anew under one. */
const tailOutlivesMs = 30 * 86_400_000;

export interface Tail {
  /** How many places the lane has given. */
  readonly seq: number;
  /** The same as the table has it; undefined: it has no tail of this lane. */
  readonly stored: number | undefined;
  /** Seconds. */
  readonly ttl: number;
}

/** Of a lane nobody was in yet: nothing was given. */
export const noTail: Tail = { seq: 0, stored: undefined, ttl: 0 };

export function tailOf(item: Item | undefined): Tail {
  if (item === undefined) return noTail;
  const seq = numberOf(item.t) ?? 0;
  return { seq, stored: seq, ttl: numberOf(item[ttlName]) ?? 0 };
}

export async function readTail(context: AwsContext, lane: LaneKey): Promise<Tail> {
  const key = laneTailKey(lane);
  return tailOf((await context.calls.get('lane', [key], true)).at(key));
}

/** Seconds. */
function outlivesUntil(expiresAtMs: number): number {
  return numberOf(ttlOf(expiresAtMs + tailOutlivesMs)) ?? 0;
}

/** After so many places more, the longest of whose tasks lives until then. A tail's own end never comes nearer. */
export function movedOn({ seq, ttl }: Tail, places: number, expiresAtMs: number): Tail {
  const next = seq + places;
  return { seq: next, stored: next, ttl: Math.max(ttl, outlivesUntil(expiresAtMs)) };
}

/** Moves the tail on, if it stands as it was read. */
export function advanceTail(lane: LaneKey, { stored }: Tail, { seq, ttl }: Tail): TransactWriteItem {
  return {
    Update: {
      TableName: undefined,
      Key: { ...laneTailKey(lane) },
      UpdateExpression: 'SET #t = :next, #x = :ttl',
      ConditionExpression: stored === undefined ? 'attribute_not_exists(pk)' : '#t = :read',
      ExpressionAttributeNames: { '#t': 't', '#x': ttlName },
      ExpressionAttributeValues: {
        ':next': n(seq),
        ':ttl': n(ttl),
        ...(stored === undefined ? {} : { ':read': n(stored) }),
      },
    },
  };
}

/** A place where a pointer stands is somebody's: the tail was lost (`pastPointers` says what then). */
export function putPointer(lane: LaneKey, seq: number, id: TaskId, expiresAtMs: number): TransactWriteItem {
  const item: Item = {
    ...pointerKey(lane, seq),
    id: s(id),
    e: n(expiresAtMs),
    [ttlName]: ttlOf(expiresAtMs),
  };
  return { Put: { TableName: undefined, Item: item, ConditionExpression: 'attribute_not_exists(pk)' } };
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
  order: 'upwards' | 'downwards' = 'upwards',
): Promise<{ pointers: Pointer[]; more: boolean }> {
  const { pk, from, to } = pointerRange(lane, after);
  const page = await context.calls.query('lane', {
    KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
    ExpressionAttributeValues: { ':pk': s(pk), ':from': s(from), ':to': s(to) },
    ConsistentRead: true,
    ScanIndexForward: order === 'upwards',
    Limit: limit,
  });
  const found = page.items.map((item) => ({
    id: item.id?.S ?? '',
    seq: seqOfPointer(item.sk?.S ?? ''),
    expiresAtMs: numberOf(item.e) ?? 0,
  }));
  return { pointers: found, more: page.next !== undefined };
}

/**
 * The tail of a lane in which a place that it would give is taken, as after somebody deleted it: it goes on after every
 * place that stands, so that the next try meets none of them.
 */
export async function pastPointers(context: AwsContext, lane: LaneKey, tail: Tail): Promise<Tail> {
  const [highest] = (await pointers(context, lane, 0, 1, 'downwards')).pointers;
  if (highest === undefined) return tail;
  const { seq, expiresAtMs } = highest;
  return { ...tail, seq: Math.max(tail.seq, seq), ttl: Math.max(tail.ttl, outlivesUntil(expiresAtMs)) };
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
