import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { LaneKey, LanePointer, TaskId } from '../../../../ports/task-store.ts';
import type { AwsContext } from '../context.ts';
import { n, numberOf, s, ttlOf } from '../items/rows.ts';
import { type Item, laneTailKey, pointerKey, pointerRange, seqOfPointer, ttlName } from '../schema/keys.ts';

/**
 * Time in ms by which the tail item of a lane, which counts the places given out, outlives every task of the lane, so
 * that the numbering never restarts while a task of the lane exists.
 */
const tailOutlivesMs = 30 * 86_400_000;

/** The tail of a lane: the item that counts the places (sequence numbers) given out in the lane. */
export interface Tail {
  /** Number of places that the lane has given out. */
  readonly seq: number;
  /** The number of given-out places as stored in the table; undefined if the table has no tail of this lane. */
  readonly stored: number | undefined;
  /** TTL attribute of a lane's tail item, in seconds since the epoch. */
  readonly ttlS: number;
}

/** The tail of a lane that has given out no place yet. */
export const noTail: Tail = { seq: 0, stored: undefined, ttlS: 0 };

export function tailOf(item: Item | undefined): Tail {
  if (item === undefined) return noTail;
  const seq = numberOf(item.t) ?? 0;
  return { seq, stored: seq, ttlS: numberOf(item[ttlName]) ?? 0 };
}

export async function readTail(context: AwsContext, lane: LaneKey): Promise<Tail> {
  const key = laneTailKey(lane);
  return tailOf((await context.calls.get('lane', [key], true)).get(key));
}

/** Returns the TTL, in seconds, of the tail item of a lane whose last task expires at `expiresAtMs`. */
function tailTtlS(expiresAtMs: number): number {
  return numberOf(ttlOf(expiresAtMs + tailOutlivesMs)) ?? 0;
}

/**
 * Returns the tail of a lane after `added` more tasks, the last of which expires at `expiresAtMs`. The tail's TTL
 * never decreases.
 */
export function tailAfter({ seq, ttlS: ttl }: Tail, added: number, expiresAtMs: number): Tail {
  const next = seq + added;
  return { seq: next, stored: next, ttlS: Math.max(ttl, tailTtlS(expiresAtMs)) };
}

/**
 * Builds the transaction item that writes a lane's new tail, on condition that the stored tail is still as it was
 * read.
 */
export function advanceTail(lane: LaneKey, { stored }: Tail, { seq, ttlS: ttl }: Tail): TransactWriteItem {
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

/**
 * Builds the transaction item that writes the pointer to a task, on condition that the pointer's place in the lane is
 * free. A taken place means that the lane's tail was lost (see `tailPastPointers`).
 */
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

/** Reads a page of a lane's pointers to tasks behind the place `after`, in the order of the lane, consistently. */
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
 * Returns a corrected tail for a lane whose next place is taken already, for example because someone deleted the
 * stored tail. The returned tail is behind every existing pointer, so that the next try finds a free place.
 */
export async function tailPastPointers(context: AwsContext, lane: LaneKey, tail: Tail): Promise<Tail> {
  const [highest] = (await pointers(context, lane, 0, 1, 'downwards')).pointers;
  if (highest === undefined) return tail;
  const { seq, expiresAtMs } = highest;
  return { ...tail, seq: Math.max(tail.seq, seq), ttlS: Math.max(tail.ttlS, tailTtlS(expiresAtMs)) };
}

/**
 * Returns the pointer to the first task of a lane, as far as a Query shows it beside transactions (see lane-order.ts).
 * Pointers to expired tasks do not count, even if TTL has not deleted them yet.
 */
export async function lowestOf(context: AwsContext, lane: LaneKey): Promise<LanePointer | undefined> {
  let after = 0;
  // The task of the first pointer has nearly always not expired, so the first page has one item.
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
