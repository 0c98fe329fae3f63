import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { Submission } from '../../../../core/submission/submission.ts';
import { fold } from '../../../../core/task/evolve.ts';
import { dueAtMs, type Head } from '../../../../core/task/head.ts';
import type { LaneKey, Snapshot } from '../../../../ports/task-store.ts';
import { damagedTask } from '../../sdk/errors.ts';
import { idOf, type Place, shardOf } from '../schema/ids.ts';
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
import { firstLink, unchained } from './hash-chain.ts';
import { decodeRest, encodeRest, letterOf, progressOf, progressText, stateOf } from './head-codec.ts';
import type { Known } from './known-tasks.ts';
import { nonceName } from './nonces.ts';
import { type Body, decodeBody, encodeBody } from './submission-codec.ts';

/** Of a head: the link after its last event. */
export const linkName = 'lk';

export const n = (number: number): AttributeValue => ({ N: String(number) });
export const s = (text: string): AttributeValue => ({ S: text });
export const b = (bytes: Uint8Array): AttributeValue => ({ B: bytes });

export function numberOf(value: AttributeValue | undefined): number | undefined {
  return value?.N === undefined ? undefined : Number(value.N);
}

/** Seconds, never before the task's time: to readers its exact time counts, this one only frees the space. */
export function ttlOf(expiresAtMs: number): AttributeValue {
  return n(Math.ceil(expiresAtMs / 1_000));
}

/** By the TTL attribute alone: exact to the second. */
export function isGone(item: Item, nowMs: number): boolean {
  return (numberOf(item[ttlName]) ?? Number.POSITIVE_INFINITY) * 1_000 <= nowMs;
}

export function laneOf({ scope, orderingKey }: Submission): LaneKey | undefined {
  return orderingKey === undefined ? undefined : { tenant: scope.tenant, queue: scope.queue, orderingKey };
}

/** S. Of all its attributes only an anchor's `g` and `x` are ever written again. */
export function submissionItem(
  place: Place,
  submission: Submission,
  laneSeq: number | undefined,
  nonce: AttributeValue,
  shards: Shards,
): Item {
  const { tags } = submission.options;
  return {
    ...submissionKey(place),
    at: n(place.mark),
    ty: s(submission.type),
    ...(tags.length === 0 ? {} : { tg: { SS: [...new Set(tags)] } }),
    b: b(encodeBody(submission, laneSeq)),
    [keyNames.list[0]]: s(listPartition(submission.scope, shardOf(place.slot, shards.toWrite().list))),
    [keyNames.list[1]]: s(listSort(submission.acceptedAtMs, idOf(place))),
    [nonceName]: nonce,
    [ttlName]: ttlOf(submission.expiresAtMs),
  };
}

/** The newest later generation of an anchor's key. */
export function newestOf(anchor: Item, place: Place): Place {
  const mark = numberOf(anchor.g);
  return mark === undefined ? place : { slot: place.slot, mark, anchor: false };
}

function exceptionOf(head: Head): string | undefined {
  if (head.state === 'dead' || head.state === 'cancelled') return head.state;
  return head.state === 'waiting' && head.retrying ? 'retrying' : undefined;
}

/** Attributes of a head by name; undefined: the head has none, whatever stood there. */
export type HeadAttributes = Readonly<Record<string, AttributeValue | undefined>>;

/** Everything of H but its keys, revision, tip and what closes it, nonce and result. */
export function headAttributes(head: Head, known: Known, shards: Shards): HeadAttributes {
  const due = dueAtMs(head);
  const exception = exceptionOf(head);
  const { place, queue, laneSeq } = known;
  return {
    at: n(place.mark),
    st: s(letterOf(head.state)),
    v: n(head.version),
    tk: n(head.fencingToken),
    hd: b(encodeRest(head)),
    le: head.leaseEndAtMs === undefined ? undefined : n(head.leaseEndAtMs),
    pr: head.progress === undefined ? undefined : s(progressText(head.progress)),
    q: laneSeq === undefined ? undefined : n(laneSeq),
    [keyNames.due[0]]:
      due === undefined ? undefined : s(duePartition(shardOf(place.slot, shards.toWrite().due))),
    [keyNames.due[1]]: due === undefined ? undefined : n(due),
    [keyNames.exceptions[0]]: exception === undefined ? undefined : s(exceptionsPartition(queue, exception)),
    [keyNames.exceptions[1]]:
      exception === undefined ? undefined : s(listSort(known.acceptedAtMs, idOf(place))),
    [ttlName]: ttlOf(known.expiresAtMs),
  };
}

export function headOf(item: Item): Head {
  return {
    ...decodeRest(item.hd?.B ?? new Uint8Array(0)),
    state: stateOf(item.st?.S),
    revision: numberOf(item.rv) ?? 0,
    version: numberOf(item.v) ?? 0,
    fencingToken: numberOf(item.tk) ?? 0,
    leaseEndAtMs: numberOf(item.le),
    progress: progressOf(item.pr?.S),
  };
}

/**
 * For lists and counts, in which one damaged head must not keep the others from being told.
 *
 * @returns undefined: what stands there is not what this engine writes.
 */
export function headIfWhole(item: Item): Head | undefined {
  try {
    return headOf(item);
  } catch {
    return undefined;
  }
}

export function bodyOf(submission: Item): Body {
  return decodeBody(submission.b?.B ?? new Uint8Array(0), submission.ty?.S ?? '');
}

/** Events as stored in a head or an overflow item. */
export function storedEvents(item: Item | undefined): Uint8Array[] {
  return (item?.ev?.L ?? []).map((one) => one.B ?? new Uint8Array(0));
}

export function bytesOfEvents(stored: readonly Uint8Array[]): number {
  return stored.reduce((sum, one) => sum + 1 + one.length, 0);
}

/** A head that belongs to this acceptance; one of another counts as absent. */
export function ownHead(place: Place, item: Item | undefined): Item | undefined {
  return item !== undefined && numberOf(item.at) === place.mark ? item : undefined;
}

export interface Loaded {
  readonly snapshot: Snapshot;
  readonly known: Known;
}

/** What the next event begins with: as the head keeps it, so that an event that was changed is never taken for right. */
function linkOf(place: Place, submission: Item, head: Item | undefined): Uint8Array {
  return head === undefined ? firstLink(idOf(place), submission) : (head[linkName]?.B ?? new Uint8Array(0));
}

function knownOf(place: Place, item: Item, body: Body, head: Item | undefined): Known {
  const { submission } = body;
  const { tenant, queue } = submission.scope;
  return {
    place,
    queue: { tenant, queue },
    lane: laneOf(submission),
    laneSeq: numberOf(head?.q) ?? body.laneSeq,
    acceptedAtMs: submission.acceptedAtMs,
    expiresAtMs: submission.expiresAtMs,
    version: numberOf(head?.v) ?? 1,
    link: linkOf(place, item, head),
    tipBytes: bytesOfEvents(storedEvents(head)),
  };
}

/**
 * A task out of its items; undefined where the submission is absent or another acceptance's.
 *
 * @throws HoldfastError DATA_LOSS, STORE_CORRUPT: what stands there is not what this engine writes.
 */
export function loadedOf(
  place: Place,
  submission: Item | undefined,
  head: Item | undefined,
): Loaded | undefined {
  if (submission === undefined || numberOf(submission.at) !== place.mark) return undefined;
  try {
    return readOf(place, submission, ownHead(place, head));
  } catch (thrown) {
    throw damagedTask(idOf(place), thrown);
  }
}

function readOf(place: Place, submission: Item, own: Item | undefined): Loaded {
  const body = bodyOf(submission);
  const known = knownOf(place, submission, body, own);
  return {
    known,
    snapshot: {
      id: idOf(place),
      submission: body.submission,
      laneSeq: known.laneSeq,
      head: own === undefined ? fold([body.submission.submitted]) : headOf(own),
      tip: storedEvents(own).map(unchained),
    },
  };
}
