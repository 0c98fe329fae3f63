import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { Submission } from '../../../../core/submission/submission.ts';
import { fold } from '../../../../core/task/evolve.ts';
import { dueAtMs, type Head } from '../../../../core/task/head.ts';
import type { LaneKey, Snapshot } from '../../../../ports/task-store.ts';
import { damagedTask } from '../../sdk/errors.ts';
import { type ItemAddress, idOf, shardOf } from '../schema/ids.ts';
import {
  duePartition,
  exceptionsPartition,
  type Item,
  keyNames,
  listPartition,
  listSort,
  submissionKey,
  ttlName,
} from '../schema/keys.ts';
import type { Shards } from '../schema/shards.ts';
import { decodeStoredEvent, firstLink } from './hash-chain.ts';
import { decodeRest, encodeRest, letterOf, progressOf, progressText, stateOf } from './head-codec.ts';
import type { KnownTask } from './known-tasks.ts';
import { nonceName } from './nonces.ts';
import { decodeBody, encodeBody, type SubmissionBody } from './submission-codec.ts';

/** Name of the attribute of a task's head that holds the link (a hash) after the last event. */
export const linkName = 'lk';

export const n = (number: number): AttributeValue => ({ N: String(number) });
export const s = (text: string): AttributeValue => ({ S: text });
export const b = (bytes: Uint8Array): AttributeValue => ({ B: bytes });

export function numberOf(value: AttributeValue | undefined): number | undefined {
  return value?.N === undefined ? undefined : Number(value.N);
}

/**
 * Returns the TTL attribute for an expiry time, in seconds, rounded up. Readers check the exact expiry time
 * themselves; TTL only frees space.
 */
export function ttlOf(expiresAtMs: number): AttributeValue {
  return n(Math.ceil(expiresAtMs / 1_000));
}

/** Returns true if the item has expired by its TTL attribute, which is exact to the second. */
export function isExpired(item: Item, nowMs: number): boolean {
  return (numberOf(item[ttlName]) ?? Number.POSITIVE_INFINITY) * 1_000 <= nowMs;
}

export function laneOf({ scope, orderingKey }: Submission): LaneKey | undefined {
  return orderingKey === undefined ? undefined : { tenant: scope.tenant, queue: scope.queue, orderingKey };
}

/**
 * Builds the submission item (`S`) of a task. Only in an anchor, the submission item of the first task of an
 * idempotency key, are the attributes `g` and `x` written again later.
 */
export function submissionItem(
  address: ItemAddress,
  submission: Submission,
  laneSeq: number | undefined,
  nonce: AttributeValue,
  shards: Shards,
): Item {
  const { tags } = submission.options;
  return {
    ...submissionKey(address),
    at: n(address.mark),
    ty: s(submission.type),
    ...(tags.length === 0 ? {} : { tg: { SS: [...new Set(tags)] } }),
    b: b(encodeBody(submission, laneSeq)),
    [keyNames.list[0]]: s(
      listPartition(submission.scope, shardOf(address.slot, shards.countsToWrite().list)),
    ),
    [keyNames.list[1]]: s(listSort(submission.acceptedAtMs, idOf(address))),
    [nonceName]: nonce,
    [ttlName]: ttlOf(submission.expiresAtMs),
  };
}

/**
 * Returns the item address of the newest task of an idempotency key. `anchor` is the submission item of the key's
 * first task, and `address` is the address of that first task.
 */
export function newestAddressOf(anchor: Item, address: ItemAddress): ItemAddress {
  const mark = numberOf(anchor.g);
  return mark === undefined ? address : { slot: address.slot, mark, anchor: false };
}

function exceptionOf(head: Head): string | undefined {
  if (head.state === 'dead' || head.state === 'cancelled') return head.state;
  return head.state === 'waiting' && head.retrying ? 'retrying' : undefined;
}

/** DynamoDB attributes of a head item, by name. The value `undefined` removes the attribute. */
export type HeadAttributes = Readonly<Record<string, AttributeValue | undefined>>;

/**
 * Builds the attributes of a task's head item (`H`), except the keys, the revision, the events, the hash link after
 * the last event, the nonce and the result.
 */
export function headAttributes(head: Head, known: KnownTask, shards: Shards): HeadAttributes {
  const due = dueAtMs(head);
  const exception = exceptionOf(head);
  const { address, queue, laneSeq } = known;
  return {
    at: n(address.mark),
    st: s(letterOf(head.state)),
    v: n(head.version),
    tk: n(head.fencingToken),
    hd: b(encodeRest(head)),
    le: head.leaseEndAtMs === undefined ? undefined : n(head.leaseEndAtMs),
    bg: head.begun ? n(1) : undefined,
    pr: head.progress === undefined ? undefined : s(progressText(head.progress)),
    q: laneSeq === undefined ? undefined : n(laneSeq),
    [keyNames.due[0]]:
      due === undefined ? undefined : s(duePartition(shardOf(address.slot, shards.countsToWrite().due))),
    [keyNames.due[1]]: due === undefined ? undefined : n(due),
    [keyNames.exceptions[0]]: exception === undefined ? undefined : s(exceptionsPartition(queue, exception)),
    [keyNames.exceptions[1]]:
      exception === undefined ? undefined : s(listSort(known.acceptedAtMs, idOf(address))),
    [ttlName]: ttlOf(known.expiresAtMs),
  };
}

/** Returns the time of the newest event in a head item, or 0 if it has none or the event cannot be read. */
function lastEventAtMsOf(item: Item): number {
  const last = storedEvents(item).at(-1);
  try {
    return last === undefined ? 0 : decodeStoredEvent(last).atMs;
  } catch {
    return 0;
  }
}

export function headOf(item: Item, lastEventAtMs = lastEventAtMsOf(item)): Head {
  return {
    ...decodeRest(item.hd?.B ?? new Uint8Array(0)),
    state: stateOf(item.st?.S),
    revision: numberOf(item.rv) ?? 0,
    version: numberOf(item.v) ?? 0,
    lastEventAtMs,
    fencingToken: numberOf(item.tk) ?? 0,
    leaseEndAtMs: numberOf(item.le),
    begun: item.bg !== undefined,
    progress: progressOf(item.pr?.S),
  };
}

/**
 * Decodes a task's head for lists and counts, in which one damaged head must not hide the other tasks.
 *
 * @returns undefined if the item is not in the format of this engine.
 */
export function headIfReadable(item: Item): Head | undefined {
  try {
    return headOf(item);
  } catch {
    return undefined;
  }
}

export function bodyOf(submission: Item): SubmissionBody {
  return decodeBody(submission.b?.B ?? new Uint8Array(0), submission.ty?.S ?? '');
}

/** Returns the encoded events that are stored in a task's head, or in an item of events moved out of the head. */
export function storedEvents(item: Item | undefined): Uint8Array[] {
  return (item?.ev?.L ?? []).map((one) => one.B ?? new Uint8Array(0));
}

export function bytesOfEvents(stored: readonly Uint8Array[]): number {
  return stored.reduce((sum, one) => sum + 1 + one.length, 0);
}

/**
 * Returns the item if it is the head of the task with this address. The head of another task of the same idempotency
 * key counts as absent.
 */
export function ownHead(address: ItemAddress, item: Item | undefined): Item | undefined {
  return item !== undefined && numberOf(item.at) === address.mark ? item : undefined;
}

/** A task as read from the table, with the data that the next write to the task needs. */
export interface LoadedTask {
  readonly snapshot: Snapshot;
  readonly known: KnownTask;
}

/**
 * Returns the link (a hash) that the task's next event begins with. The link is read from the head and never computed
 * again from the last event, so that a changed event is never accepted as right.
 */
function linkOf(address: ItemAddress, submission: Item, head: Item | undefined): Uint8Array {
  return head === undefined ? firstLink(idOf(address), submission) : (head[linkName]?.B ?? new Uint8Array(0));
}

function knownOf(address: ItemAddress, item: Item, body: SubmissionBody, head: Item | undefined): KnownTask {
  const { submission } = body;
  const { tenant, queue } = submission.scope;
  return {
    address,
    queue: { tenant, queue },
    lane: laneOf(submission),
    laneSeq: numberOf(head?.q) ?? body.laneSeq,
    acceptedAtMs: submission.acceptedAtMs,
    expiresAtMs: submission.expiresAtMs,
    version: numberOf(head?.v) ?? 1,
    link: linkOf(address, item, head),
    tipBytes: bytesOfEvents(storedEvents(head)),
  };
}

/**
 * Builds a task from its submission item and its head item. Returns undefined if the submission item is absent or
 * belongs to another task.
 *
 * @throws HoldfastError DATA_LOSS, STORE_CORRUPT if an item is not in the format of this engine.
 */
export function loadedTaskOf(
  address: ItemAddress,
  submission: Item | undefined,
  head: Item | undefined,
): LoadedTask | undefined {
  if (submission === undefined || numberOf(submission.at) !== address.mark) return undefined;
  try {
    return decodeTask(address, submission, ownHead(address, head));
  } catch (thrown) {
    throw damagedTask(idOf(address), thrown);
  }
}

function decodeTask(address: ItemAddress, submission: Item, own: Item | undefined): LoadedTask {
  const body = bodyOf(submission);
  const known = knownOf(address, submission, body, own);
  const { submitted } = body.submission;
  const tip = storedEvents(own).map(decodeStoredEvent);
  return {
    known,
    snapshot: {
      id: idOf(address),
      submission: body.submission,
      laneSeq: known.laneSeq,
      head: own === undefined ? fold([submitted]) : headOf(own, tip.at(-1)?.atMs ?? submitted.atMs),
      tip,
    },
  };
}
