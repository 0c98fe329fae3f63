import { HoldfastError } from '../../core/errors.ts';
import { dueAtMs, isEnded } from '../../core/task/head.ts';
import type { DeadLetter } from '../../ports/dead-letters.ts';
import type { Snapshot } from '../../ports/task-store.ts';
import { unknownForgetMs } from '../claim/return-deliveries.ts';
import type { ServiceContext } from '../context.ts';
import { isLowest } from '../hand-over.ts';
import { type ReadResult, readEach } from '../read-each.ts';

/** The decision on a dead letter. For `resent`, a new dispatch message is sent before the letter is dropped. */
export type DeadLetterVerdict = 'kept' | 'dropped' | 'resent' | 'unreadable';

export interface JudgedLetter {
  readonly letter: DeadLetter;
  readonly snapshot: Snapshot | undefined;
  readonly verdict: DeadLetterVerdict;
}

async function judgeLetter(
  context: ServiceContext,
  { message, sentAtMs }: DeadLetter,
  found: ReadResult,
): Promise<DeadLetterVerdict> {
  const nowMs = context.clock.now();
  if (message === undefined) return 'unreadable';
  // A young dead letter of an unknown task is kept, because the task's submission may not be committed yet.
  if (found === undefined) return nowMs - sentAtMs > unknownForgetMs ? 'dropped' : 'kept';
  if (found instanceof HoldfastError) {
    context.log.error(
      { task_id: message.id, err: found },
      'the task of a dead letter is damaged in the store; the letter is kept',
    );
    return 'kept';
  }
  const { head } = found;
  if (head.state === 'dead') return 'kept';
  if (isEnded(head)) return 'dropped';
  // A scheduled task needs no dispatch message now: the sweep dispatches the task when it is due.
  if (head.waitUntilMs !== undefined && (dueAtMs(head) ?? 0) > nowMs) return 'dropped';
  // A task that is not the first of its lane is dispatched later, when the task before it has ended. Any
  // other task, even a running one, gets a new message, because the dead letter may be the only dispatch
  // message of the task.
  return (await isLowest(context, found)) ? 'resent' : 'dropped';
}

/**
 * Reads the task of each dead letter by a consistent read, and decides for each letter whether it is kept, dropped or
 * resent. Returns the decisions in the order of the letters.
 */
export async function judgeLetters(
  context: ServiceContext,
  letters: readonly DeadLetter[],
): Promise<readonly JudgedLetter[]> {
  const ids = [...new Set(letters.flatMap(({ message }) => (message === undefined ? [] : [message.id])))];
  const nowMs = context.clock.now();
  const read = await readEach(ids, (some) => context.store.read(some, nowMs));
  const byId = new Map(ids.map((id, i) => [id, read[i]]));
  return Promise.all(
    letters.map(async (letter) => {
      const found = letter.message && byId.get(letter.message.id);
      const verdict = await judgeLetter(context, letter, found);
      return { letter, snapshot: found instanceof HoldfastError ? undefined : found, verdict };
    }),
  );
}
