import type { CancellationReason } from '@aws-sdk/client-dynamodb';
import { asHoldfastError } from '../../../../core/errors.ts';
import { isKeyFree } from '../../../../core/submission/key.ts';
import type { AcceptOutcome, LaneKey } from '../../../../ports/task-store.ts';
import { storeContended } from '../../sdk/errors.ts';
import type { AwsContext } from '../context.ts';
import { isOwnWrite } from '../items/nonces.ts';
import { loadedTaskOf } from '../items/rows.ts';
import {
  advanceTail,
  noTail,
  readTail,
  type Tail,
  tailAfter,
  tailOf,
  tailPastPointers,
} from '../read/lanes.ts';
import { loadNewest, readAnchor } from '../read/snapshots.ts';
import { idOf } from '../schema/ids.ts';
import { type Item, laneTailKey } from '../schema/keys.ts';
import {
  type Action,
  actionCount,
  actionsOf,
  freshSnapshot,
  knownTaskOf,
  type PendingAcceptance,
  pendingAcceptance,
  submissionOf,
} from './pending-acceptance.ts';

/** Receives the outcome of the acceptance of one submission. */
export type ResultCallback = (pending: PendingAcceptance, accepted: AcceptOutcome) => void;

/**
 * Maximum number of tasks that one transaction accepts. DynamoDB allows 100 items; a task of a lane has at least two
 * items, and the lane's tail is one item.
 */
const mostTasks = 49;
const mostActions = 99;
/** Maximum number of bytes in one transaction; DynamoDB allows 4 MB. */
const mostBytes = 3_500_000;
/** Estimated bytes of a submission beside its spec: names, keys, tags, options. */
const otherBytes = 6_000;
/**
 * Maximum number of transactions in a row that accept none of their tasks, for example because other processes take
 * the places at the tail of the lane.
 */
const mostTriesWithoutProgress = 12;
const conditionFailed = 'ConditionalCheckFailed';

/**
 * Returns the outcome for a submission that was written as a new task, and caches the data that the next write to the
 * task needs. `item` is the stored submission item.
 */
export function freshResult(
  context: AwsContext,
  pending: PendingAcceptance,
  item: Item,
  laneSeq: number | undefined,
): AcceptOutcome {
  context.knownTasks.put(idOf(pending.address), knownTaskOf(pending, item, laneSeq));
  return { kind: 'fresh', snapshot: freshSnapshot(pending, laneSeq) };
}

/**
 * Returns the outcome for a submission whose write found its own submission item in the table: an earlier try
 * succeeded, but the response was lost.
 */
export function freshResultOf(context: AwsContext, pending: PendingAcceptance, item: Item): AcceptOutcome {
  return freshResult(
    context,
    pending,
    item,
    loadedTaskOf(pending.address, item, undefined)?.snapshot.laneSeq,
  );
}

/**
 * Finds the task that holds the idempotency key of a submission. The key is free if its newest task has given it up,
 * or if that task was deleted and only the anchor (the submission item of the key's first task) still exists. Then the
 * result is a prepared try to accept the submission as the key's next task.
 */
export async function resolveTakenKey(
  context: AwsContext,
  pending: PendingAcceptance,
  read?: Item,
): Promise<AcceptOutcome | { readonly kind: 'retry'; readonly pending: PendingAcceptance }> {
  const { acceptance, address, index } = pending;
  const anchor = read ?? (await readAnchor(context, address.slot));
  const found = anchor && (await loadNewest(context, address.slot, anchor));
  if (found !== undefined && !isKeyFree(found.snapshot, acceptance.submission.acceptedAtMs)) {
    return { kind: 'existing', snapshot: found.snapshot };
  }
  const previous = found && { address: found.known.address, revision: found.snapshot.head.revision };
  return {
    kind: 'retry',
    pending: pendingAcceptance(context, index, acceptance, address.slot, anchor, previous),
  };
}

/** Returns as many submissions from the start of the list as fit into one transaction. */
function firstThatFit(acceptances: readonly PendingAcceptance[]): PendingAcceptance[] {
  const taken: PendingAcceptance[] = [];
  let actions = 0;
  let bytes = 0;
  for (const pending of acceptances) {
    actions += actionCount(pending);
    // The number of bytes is an upper bound: compression may make the spec much smaller, but it is not tried here.
    bytes += pending.acceptance.submission.spec.length + otherBytes;
    const full = taken.length === mostTasks || actions > mostActions || bytes > mostBytes;
    if (full && taken.length > 0) break;
    taken.push(pending);
  }
  return taken;
}

/** The items that the acceptance of one submission adds to a transaction. */
interface TransactionPart {
  readonly pending: PendingAcceptance;
  readonly item: Item;
  readonly laneSeq: number | undefined;
  readonly actions: readonly Action[];
}

/**
 * Tells why DynamoDB refused one of the submissions in a transaction. Returns the existing submission item if that
 * item was the cause, true if another item was, or undefined if this submission was not refused.
 */
function refusalOf(part: TransactionPart, reasons: readonly CancellationReason[]): Item | true | undefined {
  for (const [i, { role }] of part.actions.entries()) {
    // If only the place in the lane is taken, the task itself is not refused.
    if (reasons[i]?.Code !== conditionFailed || role === 'pointer') continue;
    const item = reasons[i]?.Item;
    // The submission item of a later task of the key does not show which task holds the key; only the anchor, the item
    // of the first task, does.
    return role === 'submission' && item?.pk !== undefined ? item : true;
  }
  return undefined;
}

function isPlaceTaken({ actions }: TransactionPart, reasons: readonly CancellationReason[]): boolean {
  return actions.some(({ role }, i) => role === 'pointer' && reasons[i]?.Code === conditionFailed);
}

/**
 * Sends one transaction that accepts several submissions. If DynamoDB refuses the transaction, each submission whose
 * own condition failed gets its outcome or is tried again. The other submissions are tried again in a new transaction.
 */
async function sendTransaction(
  context: AwsContext,
  acceptances: readonly PendingAcceptance[],
  lane: LaneKey | undefined,
  tail: Tail,
  report: ResultCallback,
): Promise<{ left: PendingAcceptance[]; tail: Tail }> {
  const parts: TransactionPart[] = acceptances.map((pending, i) => {
    const laneSeq = lane && tail.seq + i + 1;
    const item = submissionOf(context, pending, laneSeq);
    return { pending, item, laneSeq, actions: actionsOf(context, pending, item, laneSeq) };
  });
  const expiresAtMs = Math.max(...acceptances.map((pending) => pending.acceptance.submission.expiresAtMs));
  const items = parts.flatMap((part) => part.actions.map((action) => action.item));
  const next = tailAfter(tail, acceptances.length, expiresAtMs);
  if (lane !== undefined) items.push(advanceTail(lane, tail, next));
  const result = await context.calls.transact('accept', items);
  if (result.ok) {
    for (const { pending, item, laneSeq } of parts)
      report(pending, freshResult(context, pending, item, laneSeq));
    return { left: [], tail: next };
  }
  const left: PendingAcceptance[] = [];
  let from = 0;
  let placeTaken = false;
  for (const part of parts) {
    const reasons = result.reasons.slice(from, from + part.actions.length);
    from += part.actions.length;
    placeTaken ||= isPlaceTaken(part, reasons);
    const refusal = refusalOf(part, reasons);
    if (refusal === undefined) left.push(part.pending);
    else if (refusal !== true && isOwnWrite(refusal, part.pending.nonce))
      report(part.pending, freshResultOf(context, part.pending, refusal));
    else {
      const read = refusal !== true && part.pending.address.anchor ? refusal : undefined;
      const outcome = await resolveTakenKey(context, part.pending, read);
      if (outcome.kind === 'retry') left.push(outcome.pending);
      else report(part.pending, outcome);
    }
  }
  const last = result.reasons[from];
  if (last?.Code === conditionFailed) return { left, tail: tailOf(last.Item) };
  return { left, tail: lane && placeTaken ? await tailPastPointers(context, lane, tail) : tail };
}

async function acceptInOrder(
  context: AwsContext,
  acceptances: readonly PendingAcceptance[],
  lane: LaneKey | undefined,
  report: ResultCallback,
): Promise<void> {
  let waiting = [...acceptances];
  let tail: Tail = lane === undefined ? noTail : await readTail(context, lane);
  let triesWithoutProgress = 0;
  while (waiting.length > 0) {
    const next = firstThatFit(waiting);
    const rest = waiting.slice(next.length);
    const { left, tail: moved } = await sendTransaction(context, next, lane, tail, report);
    triesWithoutProgress = left.length === next.length ? triesWithoutProgress + 1 : 0;
    if (triesWithoutProgress >= mostTriesWithoutProgress)
      throw storeContended(lane === undefined ? 'one key' : 'one lane');
    if (triesWithoutProgress > 0) await context.calls.pause('accept', triesWithoutProgress);
    waiting = [...left, ...rest];
    tail = moved;
  }
}

/**
 * Accepts tasks in transactions, in the order given; tasks of a lane get the next places at the lane's tail. Every
 * submission gets an outcome: a duplicate cancels its whole transaction, so the duplicate is dropped and the other
 * submissions are sent again.
 */
export async function acceptInTransactions(
  context: AwsContext,
  acceptances: readonly PendingAcceptance[],
  lane: LaneKey | undefined,
  report: ResultCallback,
): Promise<void> {
  const reported = new Set<number>();
  const reportOnce: ResultCallback = (pending, accepted) => {
    reported.add(pending.index);
    report(pending, accepted);
  };
  const work = (): Promise<void> => acceptInOrder(context, acceptances, lane, reportOnce);
  try {
    await (lane === undefined ? work() : context.mutex.run(laneTailKey(lane).pk.S ?? '', work));
  } catch (thrown) {
    const error = asHoldfastError(thrown);
    for (const pending of acceptances)
      if (!reported.has(pending.index)) report(pending, { kind: 'failed', error });
  }
}
