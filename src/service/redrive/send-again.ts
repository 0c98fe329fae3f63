/** Sends the dispatch messages of tasks again, many at once, for callers that look for lost messages. */
import { asHoldfastError, type HoldfastError } from '../../core/errors.ts';
import { dueAtMs, isEnded } from '../../core/task/head.ts';
import type { Snapshot } from '../../ports/task-store.ts';
import type { ServiceContext } from '../context.ts';
import { isLowest, messageOf } from '../hand-over.ts';

/**
 * How many tasks are examined and sent at once: five calls of ten messages to SQS. More would hold up the submissions of this
 * process.
 */
export const sentAtOnce = 50;

/** Returns true if the task is to be worked on, now or after its lease: it has not ended and waits for no time ahead. */
export function isDispatchable({ head }: Snapshot, nowMs: number): boolean {
  if (isEnded(head)) return false;
  return head.waitUntilMs === undefined || (dueAtMs(head) ?? 0) <= nowMs;
}

/** Returns for each task whether it is in no lane or the first of its lane, or the error of the read. */
export function areLowest(
  context: ServiceContext,
  snapshots: readonly Snapshot[],
): Promise<readonly (boolean | HoldfastError)[]> {
  return Promise.all(snapshots.map((snapshot) => isLowest(context, snapshot).catch(asHoldfastError)));
}

/** `sent`, or `left` if the message is not wanted: an earlier task of the lane has not ended. */
export type SentAgain = 'sent' | 'left' | HoldfastError;

/**
 * Sends a dispatch message for each task that is the first of its lane or in no lane, and returns a result for each task. A
 * second message of a task does no harm, because each claim is conditional.
 */
export async function sendAgain(
  context: ServiceContext,
  snapshots: readonly Snapshot[],
): Promise<readonly SentAgain[]> {
  const lowest = await areLowest(context, snapshots);
  const results: SentAgain[] = lowest.map((one) => (typeof one !== 'boolean' ? one : one ? 'sent' : 'left'));
  const wanted = snapshots.flatMap((snapshot, i) => (results[i] === 'sent' ? [{ snapshot, i }] : []));
  if (wanted.length === 0) return results;
  const messages = wanted.map(({ snapshot }) => messageOf(snapshot, snapshot.head.version, 'again'));
  const sent = await context.broker.send(messages);
  for (const [at, { i }] of wanted.entries()) {
    const one = sent[at];
    if (one !== true) results[i] = one ?? asHoldfastError(new RangeError('the broker returned no result'));
  }
  return results;
}
