import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { dueAtMs } from '../../../../core/task/head.ts';
import type { Acceptance, LaneKey, Snapshot } from '../../../../ports/task-store.ts';
import type { AwsContext } from '../context.ts';
import { firstLink } from '../items/hash-chain.ts';
import { cleared, headUpdate } from '../items/head-update.ts';
import type { Known } from '../items/known-tasks.ts';
import {
  b,
  headAttributes,
  laneOf,
  linkName,
  n,
  newestOf,
  numberOf,
  submissionItem,
  ttlOf,
} from '../items/rows.ts';
import { putPointer } from '../read/lanes.ts';
import { idOf, type Place } from '../schema/ids.ts';
import { anchorKey, headKey, type Item, ttlName } from '../schema/keys.ts';

/** The generation that a new one follows; absent: its items were deleted, only the anchor points to it. */
export interface Previous {
  readonly place: Place;
  readonly revision: number;
}

/** One acceptance under way: where it goes, and what it follows. */
export interface Entry {
  readonly index: number;
  readonly acceptance: Acceptance;
  readonly place: Place;
  readonly lane: LaneKey | undefined;
  readonly nonce: { readonly B: Uint8Array };
  /** As read; undefined: this is the first of its slot, and becomes its anchor. */
  readonly anchor: Item | undefined;
  readonly previous: Previous | undefined;
}

/** What each item of a transaction is there for, which its reason is read by. */
export type Role = 'submission' | 'head' | 'pointer' | 'anchor' | 'previous';

export interface Action {
  readonly role: Role;
  readonly item: TransactWriteItem;
}

const later = (slot: string, mark: number): Place => ({ slot, mark, anchor: false });

/** The first of a slot where `anchor` is undefined, else a later generation, whose mark is above all before it. */
export function entryOf(
  context: AwsContext,
  index: number,
  acceptance: Acceptance,
  slot: string,
  anchor?: Item,
  previous?: Previous,
): Entry {
  const { acceptedAtMs } = acceptance.submission;
  const anchorPlace: Place = { slot, mark: acceptedAtMs, anchor: true };
  const newestMark = anchor && newestOf(anchor, { ...anchorPlace, mark: numberOf(anchor.at) ?? 0 }).mark;
  const place = newestMark === undefined ? anchorPlace : later(slot, Math.max(acceptedAtMs, newestMark + 1));
  const lane = laneOf(acceptance.submission);
  return { index, acceptance, place, lane, nonce: context.nonces.next(), anchor, previous };
}

/** The anchor points to the new generation, if it still stands as read, and lives as long. */
function pointAnchor({ place, acceptance }: Entry, anchor: Item): TransactWriteItem {
  const { g } = anchor;
  const ttl = Math.max(
    numberOf(anchor[ttlName]) ?? 0,
    numberOf(ttlOf(acceptance.submission.expiresAtMs)) ?? 0,
  );
  return {
    Update: {
      TableName: undefined,
      Key: { ...anchorKey(place.slot) },
      UpdateExpression: 'SET #g = :new, #x = :ttl',
      ConditionExpression: `#at = :at AND ${g === undefined ? 'attribute_not_exists(#g)' : '#g = :read'}`,
      ExpressionAttributeNames: { '#g': 'g', '#x': ttlName, '#at': 'at' },
      ExpressionAttributeValues: {
        ':new': n(place.mark),
        ':ttl': n(ttl),
        ':at': anchor.at ?? n(0),
        ...(g === undefined ? {} : { ':read': g }),
      },
    },
  };
}

/** The generation before is as it was read: at revision 1 it has no head, or one that nobody touched. */
function checkPrevious({ place, revision }: Previous): TransactWriteItem {
  const unborn = revision === 1 ? 'attribute_not_exists(pk) OR #at < :at OR ' : '';
  return {
    ConditionCheck: {
      TableName: undefined,
      Key: { ...headKey(place) },
      ConditionExpression: `${unborn}(#at = :at AND rv = :rv)`,
      ExpressionAttributeNames: { '#at': 'at' },
      ExpressionAttributeValues: { ':at': n(place.mark), ':rv': n(revision) },
    },
  };
}

/** `item`: the submission as it was, or will be, written. */
export function knownOfEntry(
  { acceptance, place, lane }: Entry,
  item: Item,
  laneSeq: number | undefined,
): Known {
  const { submission } = acceptance;
  const { tenant, queue } = submission.scope;
  const { acceptedAtMs, expiresAtMs } = submission;
  const link = firstLink(idOf(place), item);
  const queueRef = { tenant, queue };
  return { place, queue: queueRef, lane, laneSeq, acceptedAtMs, expiresAtMs, version: 1, link, tipBytes: 0 };
}

/** A head is born with its submission only where it has a due entry. */
export function hasHead({ acceptance }: Entry): boolean {
  return dueAtMs(acceptance.head) !== undefined;
}

function putHead(
  context: AwsContext,
  entry: Entry,
  item: Item,
  laneSeq: number | undefined,
): TransactWriteItem {
  const known = knownOfEntry(entry, item, laneSeq);
  const head = headAttributes(entry.acceptance.head, known, context.shards);
  const attributes = { ...cleared, ...head, [linkName]: b(known.link) };
  const tip = { how: 'begin', kept: [], events: [] } as const;
  const update = headUpdate(attributes, tip, 1, entry.nonce);
  // The condition on the submission beside it is enough: at most another acceptance's head stands here.
  return { Update: { TableName: undefined, Key: { ...headKey(entry.place) }, ...update } };
}

export function submissionOf(context: AwsContext, entry: Entry, laneSeq: number | undefined): Item {
  return submissionItem(entry.place, entry.acceptance.submission, laneSeq, entry.nonce, context.shards);
}

/** How many items an acceptance adds to its transaction. */
export function actionCount(entry: Entry): number {
  const { lane, anchor, previous } = entry;
  return 1 + (hasHead(entry) ? 1 : 0) + (lane ? 1 : 0) + (anchor ? 1 : 0) + (previous === undefined ? 0 : 1);
}

/** `item`: its submission. */
export function actionsOf(
  context: AwsContext,
  entry: Entry,
  item: Item,
  laneSeq: number | undefined,
): Action[] {
  const { place, lane, anchor, previous, acceptance } = entry;
  const { expiresAtMs } = acceptance.submission;
  const put = { TableName: undefined, Item: item, ConditionExpression: 'attribute_not_exists(pk)' };
  const actions: Action[] = [{ role: 'submission', item: { Put: put } }];
  if (hasHead(entry)) actions.push({ role: 'head', item: putHead(context, entry, item, laneSeq) });
  if (lane !== undefined && laneSeq !== undefined) {
    actions.push({ role: 'pointer', item: putPointer(lane, laneSeq, idOf(place), expiresAtMs) });
  }
  if (anchor !== undefined) actions.push({ role: 'anchor', item: pointAnchor(entry, anchor) });
  if (previous !== undefined) actions.push({ role: 'previous', item: checkPrevious(previous) });
  return actions;
}

export function freshSnapshot({ acceptance, place }: Entry, laneSeq: number | undefined): Snapshot {
  const { submission, head } = acceptance;
  const untouched = head.revision === 1 ? head : { ...head, revision: 1 };
  return { id: idOf(place), submission, laneSeq, head: untouched, tip: [] };
}
