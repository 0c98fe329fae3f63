import { asHoldfastError } from '../../../../core/errors.ts';
import { checkSubmission } from '../../../../core/submission/check.ts';
import type { Acceptance, AcceptOutcome, LaneKey } from '../../../../ports/task-store.ts';
import type { AwsContext } from '../context.ts';
import { isOwnWrite } from '../items/nonces.ts';
import { slotOf } from '../schema/ids.ts';
import { laneTailKey } from '../schema/keys.ts';
import {
  acceptInTransactions,
  freshResult,
  freshResultOf,
  type ResultCallback,
  resolveTakenKey,
} from './accept-transaction.ts';
import { hasHead, type PendingAcceptance, pendingAcceptance, submissionOf } from './pending-acceptance.ts';

/**
 * Accepts a task that is ready at once, which is the most common case, with one conditional write. The condition
 * decides which task holds the idempotency key.
 */
async function acceptReadyTask(
  context: AwsContext,
  pending: PendingAcceptance,
  report: ResultCallback,
): Promise<void> {
  const item = submissionOf(context, pending, undefined);
  const result = await context.calls.put('accept', {
    Item: item,
    ConditionExpression: 'attribute_not_exists(pk)',
  });
  if (result.ok) return report(pending, freshResult(context, pending, item, undefined));
  const { current } = result;
  if (current !== undefined && isOwnWrite(current, pending.nonce))
    return report(pending, freshResultOf(context, pending, current));
  const outcome = await resolveTakenKey(context, pending, current);
  if (outcome.kind === 'retry') await acceptInTransactions(context, [outcome.pending], undefined, report);
  else report(pending, outcome);
}

async function acceptWithoutLane(
  context: AwsContext,
  pending: PendingAcceptance,
  report: ResultCallback,
): Promise<void> {
  if (hasHead(pending)) return acceptInTransactions(context, [pending], undefined, report);
  try {
    await acceptReadyTask(context, pending, report);
  } catch (thrown) {
    report(pending, { kind: 'failed', error: asHoldfastError(thrown) });
  }
}

interface BatchItem {
  readonly index: number;
  readonly acceptance: Acceptance;
  readonly slot: string;
}

/**
 * Accepts submissions with different idempotency keys. Submissions without a lane are written concurrently, the
 * submissions of each lane in order.
 */
async function acceptWave(
  context: AwsContext,
  wave: readonly BatchItem[],
  report: ResultCallback,
): Promise<void> {
  const lanes = new Map<string, { lane: LaneKey; acceptances: PendingAcceptance[] }>();
  const work: Promise<void>[] = [];
  for (const { index, acceptance, slot } of wave) {
    const pending = pendingAcceptance(context, index, acceptance, slot);
    const { lane } = pending;
    if (lane === undefined) {
      work.push(acceptWithoutLane(context, pending, report));
      continue;
    }
    const name = laneTailKey(lane).pk.S ?? '';
    const known = lanes.get(name);
    if (known === undefined) lanes.set(name, { lane, acceptances: [pending] });
    else known.acceptances.push(pending);
  }
  for (const one of lanes.values())
    work.push(acceptInTransactions(context, one.acceptances, one.lane, report));
  await Promise.all(work);
}

/**
 * Splits a batch of submissions into waves: the first submission of each idempotency key, then the second of each key,
 * and so on. A later submission of a key is checked against the result of the earlier one.
 */
function wavesOf(
  batch: readonly Acceptance[],
  results: readonly (AcceptOutcome | undefined)[],
): BatchItem[][] {
  const waves: BatchItem[][] = [];
  const seen = new Map<string, number>();
  for (const [index, acceptance] of batch.entries()) {
    if (results[index] !== undefined) continue;
    const slot = slotOf(acceptance.submission.scope);
    const before = seen.get(slot) ?? 0;
    seen.set(slot, before + 1);
    const wave = waves[before] ?? [];
    waves[before] = wave;
    wave.push({ index, acceptance, slot });
  }
  return waves;
}

export async function acceptAll(context: AwsContext, batch: readonly Acceptance[]): Promise<AcceptOutcome[]> {
  const results = batch.map(({ submission }): AcceptOutcome | undefined => {
    const error = checkSubmission(submission);
    return error && { kind: 'failed', error };
  });
  const report: ResultCallback = (pending, accepted) => {
    results[pending.index] = accepted;
  };
  for (const wave of wavesOf(batch, results)) await acceptWave(context, wave, report);
  return results.map((result) => {
    if (result === undefined) throw new RangeError('an acceptance has no result');
    return result;
  });
}
