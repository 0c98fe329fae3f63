import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { dueAtMs } from '../../../../core/task/head.ts';
import type { Acceptance, LaneKey, Snapshot } from '../../../../ports/task-store.ts';
import type { AwsContext } from '../context.ts';
import { firstLink } from '../items/hash-chain.ts';
import { cleared, headUpdate } from '../items/head-update.ts';
import type { KnownTask } from '../items/known-tasks.ts';
import {
  b,
  headAttributes,
  laneOf,
  linkName,
  n,
  newestAddressOf,
  numberOf,
  submissionItem,
  ttlOf,
} from '../items/rows.ts';
import { putPointer } from '../read/lanes.ts';
import { type ItemAddress, idOf } from '../schema/ids.ts';
import { anchorKey, headKey, type Item, ttlName } from '../schema/keys.ts';

/**
 * The task that held the idempotency key of a new task before. Absent if the items of the previous task were deleted
 * and only the anchor (the submission item of the key's first task) still points to that task.
 */
export interface PreviousGeneration {
  readonly address: ItemAddress;
  readonly revision: number;
}

/** A submission that is being accepted: the address for its items, and the previous task of its idempotency key. */
export interface PendingAcceptance {
  readonly index: number;
  readonly acceptance: Acceptance;
  readonly address: ItemAddress;
  readonly lane: LaneKey | undefined;
  readonly nonce: { readonly B: Uint8Array };
  /**
   * The anchor (the submission item of the key's first task) as read from the table; undefined if the new task is the
   * first of its idempotency key and becomes the anchor.
   */
  readonly anchor: Item | undefined;
  readonly previous: PreviousGeneration | undefined;
}

/**
 * Purpose of an item in a transaction that accepts tasks. The purpose decides what a failed condition of the item
 * means.
 */
export type Role = 'submission' | 'head' | 'pointer' | 'anchor' | 'previous';

/** One item of a transaction that accepts tasks. */
export interface Action {
  readonly role: Role;
  readonly item: TransactWriteItem;
}

const later = (slot: string, mark: number): ItemAddress => ({ slot, mark, anchor: false });

/**
 * Prepares the acceptance of a submission. Without `anchor` the task is the first of its idempotency key. Otherwise it
 * is a later task of the key, and its mark (a time in ms) is larger than the marks of all earlier tasks.
 */
export function pendingAcceptance(
  context: AwsContext,
  index: number,
  acceptance: Acceptance,
  slot: string,
  anchor?: Item,
  previous?: PreviousGeneration,
): PendingAcceptance {
  const { acceptedAtMs } = acceptance.submission;
  const anchorAddress: ItemAddress = { slot, mark: acceptedAtMs, anchor: true };
  const newestMark =
    anchor && newestAddressOf(anchor, { ...anchorAddress, mark: numberOf(anchor.at) ?? 0 }).mark;
  const address =
    newestMark === undefined ? anchorAddress : later(slot, Math.max(acceptedAtMs, newestMark + 1));
  const lane = laneOf(acceptance.submission);
  return { index, acceptance, address, lane, nonce: context.nonces.next(), anchor, previous };
}

/**
 * Builds the update that points the anchor of an idempotency key (the submission item of the key's first task) to the
 * key's new task and lets the anchor expire no earlier than that task, on condition that the anchor is still as it was
 * read.
 */
function pointAnchor({ address, acceptance }: PendingAcceptance, anchor: Item): TransactWriteItem {
  const { g } = anchor;
  const ttl = Math.max(
    numberOf(anchor[ttlName]) ?? 0,
    numberOf(ttlOf(acceptance.submission.expiresAtMs)) ?? 0,
  );
  return {
    Update: {
      TableName: undefined,
      Key: { ...anchorKey(address.slot) },
      UpdateExpression: 'SET #g = :new, #x = :ttl',
      ConditionExpression: `#at = :at AND ${g === undefined ? 'attribute_not_exists(#g)' : '#g = :read'}`,
      ExpressionAttributeNames: { '#g': 'g', '#x': ttlName, '#at': 'at' },
      ExpressionAttributeValues: {
        ':new': n(address.mark),
        ':ttl': n(ttl),
        ':at': anchor.at ?? n(0),
        ...(g === undefined ? {} : { ':read': g }),
      },
    },
  };
}

/**
 * Builds the condition check that the previous task of an idempotency key is still as it was read. A task at revision
 * 1 has no head item (its stored state), or a head item that nobody has changed.
 */
function checkPrevious({ address, revision }: PreviousGeneration): TransactWriteItem {
  const untouched = revision === 1 ? 'attribute_not_exists(pk) OR #at < :at OR ' : '';
  return {
    ConditionCheck: {
      TableName: undefined,
      Key: { ...headKey(address) },
      ConditionExpression: `${untouched}(#at = :at AND rv = :rv)`,
      ExpressionAttributeNames: { '#at': 'at' },
      ExpressionAttributeValues: { ':at': n(address.mark), ':rv': n(revision) },
    },
  };
}

/**
 * Returns the data about a newly accepted task that the next write to the task needs. `item` is the task's submission
 * item, written already or not.
 */
export function knownTaskOf(
  { acceptance, address, lane }: PendingAcceptance,
  item: Item,
  laneSeq: number | undefined,
): KnownTask {
  const { submission } = acceptance;
  const { tenant, queue } = submission.scope;
  const { acceptedAtMs, expiresAtMs } = submission;
  const link = firstLink(idOf(address), item);
  const queueRef = { tenant, queue };
  return {
    address,
    queue: queueRef,
    lane,
    laneSeq,
    acceptedAtMs,
    expiresAtMs,
    version: 1,
    link,
    tipBytes: 0,
  };
}

/**
 * Returns true if a new task's head is written together with its submission, which is so only if the task has a due
 * entry.
 */
export function hasHead({ acceptance }: PendingAcceptance): boolean {
  return dueAtMs(acceptance.head) !== undefined;
}

function putHead(
  context: AwsContext,
  pending: PendingAcceptance,
  item: Item,
  laneSeq: number | undefined,
): TransactWriteItem {
  const known = knownTaskOf(pending, item, laneSeq);
  const head = headAttributes(pending.acceptance.head, known, context.shards);
  const attributes = { ...cleared, ...head, [linkName]: b(known.link) };
  const tip = { how: 'begin', kept: [], events: [] } as const;
  const update = headUpdate(attributes, tip, 1, pending.nonce);
  // The condition on the submission item is enough: a head item that already exists at this key belongs to another
  // task.
  return { Update: { TableName: undefined, Key: { ...headKey(pending.address) }, ...update } };
}

export function submissionOf(
  context: AwsContext,
  pending: PendingAcceptance,
  laneSeq: number | undefined,
): Item {
  return submissionItem(
    pending.address,
    pending.acceptance.submission,
    laneSeq,
    pending.nonce,
    context.shards,
  );
}

/** Returns the number of items that the acceptance of one submission adds to a transaction. */
export function actionCount(pending: PendingAcceptance): number {
  const { lane, anchor, previous } = pending;
  return (
    1 + (hasHead(pending) ? 1 : 0) + (lane ? 1 : 0) + (anchor ? 1 : 0) + (previous === undefined ? 0 : 1)
  );
}

/** Builds the transaction items that accept one submission. `item` is the new task's submission item. */
export function actionsOf(
  context: AwsContext,
  pending: PendingAcceptance,
  item: Item,
  laneSeq: number | undefined,
): Action[] {
  const { address, lane, anchor, previous, acceptance } = pending;
  const { expiresAtMs } = acceptance.submission;
  const put = { TableName: undefined, Item: item, ConditionExpression: 'attribute_not_exists(pk)' };
  const actions: Action[] = [{ role: 'submission', item: { Put: put } }];
  if (hasHead(pending)) actions.push({ role: 'head', item: putHead(context, pending, item, laneSeq) });
  if (lane !== undefined && laneSeq !== undefined) {
    actions.push({ role: 'pointer', item: putPointer(lane, laneSeq, idOf(address), expiresAtMs) });
  }
  if (anchor !== undefined) actions.push({ role: 'anchor', item: pointAnchor(pending, anchor) });
  if (previous !== undefined) actions.push({ role: 'previous', item: checkPrevious(previous) });
  return actions;
}

export function freshSnapshot(
  { acceptance, address }: PendingAcceptance,
  laneSeq: number | undefined,
): Snapshot {
  const { submission, head } = acceptance;
  const untouched = head.revision === 1 ? head : { ...head, revision: 1 };
  return { id: idOf(address), submission, laneSeq, head: untouched, tip: [] };
}
