import { HoldfastError } from '../../core/errors.ts';
import { dueAtMs, isEnded } from '../../core/task/head.ts';
import type { DeadLetter } from '../../ports/dead-letters.ts';
import type { Snapshot } from '../../ports/task-store.ts';
import { unknownForgetMs } from '../claim/return-deliveries.ts';
import type { ServiceContext } from '../context.ts';
import { isLowest } from '../hand-over.ts';
import { type ReadOne, readEach } from '../read-each.ts';

/** What is to become of a dead letter. `rung`: its task's bell first, then it is dropped. */
export type Verdict = 'kept' | 'dropped' | 'sent' | 'unreadable';

export interface Judged {
  readonly letter: DeadLetter;
  readonly snapshot: Snapshot | undefined;
  readonly verdict: Verdict;
}

async function judge(
  context: ServiceContext,
  { message, sentAtMs }: DeadLetter,
  found: ReadOne,
): Promise<Verdict> {
  const nowMs = context.clock.now();
  if (message === undefined) return 'unreadable';
  // As with a bell: a submission that is on its way is not there yet.
  if (found === undefined) return nowMs - sentAtMs > unknownForgetMs ? 'dropped' : 'kept';
  if (found instanceof HoldfastError) {
    context.log.error({ task_id: message.id, err: found }, 'a task that is damaged was left alone');
    return 'kept';
  }
  const { head } = found;
  if (head.state === 'dead') return 'kept';
  if (isEnded(head)) return 'dropped';
  // The sweep rings it in its time.
  if (head.waitUntilMs !== undefined && (dueAtMs(head) ?? 0) > nowMs) return 'dropped';
  // Else the hand-over rings it, once it is the lowest. One that runs may have no other bell than this.
  return (await isLowest(context, found)) ? 'sent' : 'dropped';
}

/** By a consistent read of each task; a verdict each, in order. */
export async function judgeAll(
  context: ServiceContext,
  letters: readonly DeadLetter[],
): Promise<readonly Judged[]> {
  const ids = [...new Set(letters.flatMap(({ message }) => (message === undefined ? [] : [message.id])))];
  const nowMs = context.clock.now();
  const read = await readEach(ids, (some) => context.store.read(some, nowMs));
  const byId = new Map(ids.map((id, i) => [id, read[i]]));
  return Promise.all(
    letters.map(async (letter) => {
      const found = letter.message && byId.get(letter.message.id);
      const verdict = await judge(context, letter, found);
      return { letter, snapshot: found instanceof HoldfastError ? undefined : found, verdict };
    }),
  );
}
