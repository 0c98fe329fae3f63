/** Tasks whose workers were lost twice: each of them runs with nothing else beside it in its worker's process. */
import { type Head, runsAlone } from '../../core/task/head.ts';
import type { Delivery } from '../../ports/broker.ts';
import { taskFields } from '../../ports/task-fields.ts';
import type { Snapshot } from '../../ports/task-store.ts';
import type { ServiceContext } from '../context.ts';
import { handBack } from './within-room.ts';

/** A claim that is decided and not written yet. */
interface DecidedClaim {
  readonly candidate: { readonly delivery: Delivery };
  readonly change: { readonly head: Head };
}

/** Returns true if this is the head of a claimed task that must run alone. */
export function isClaimedAlone(head: Head): boolean {
  return head.state === 'running' && runsAlone(head);
}

/**
 * Returns the claims of one ClaimTasks call that may be written: if a task must run alone, no task but the first such one.
 * The deliveries of the others are visible to other callers at once. `isFirst` is false if the call has claimed other
 * tasks already, so that no task that runs alone may be added to them.
 */
export function withoutCompany<T extends DecidedClaim>(
  context: ServiceContext,
  claims: readonly T[],
  isFirst: boolean,
): T[] {
  const alone = claims.find(({ change }) => isClaimedAlone(change.head));
  if (alone === undefined) return [...claims];
  const isKept = (one: T): boolean => {
    if (one.change.head.state !== 'running') return true;
    return isFirst ? one === alone : !isClaimedAlone(one.change.head);
  };
  for (const one of claims)
    if (!isKept(one)) context.background('delivery', handBack(context, one.candidate.delivery, 0));
  return claims.filter(isKept);
}

/** Logs that a worker was given a task whose workers were lost before. */
export function logAlone({ log }: ServiceContext, snapshot: Snapshot): void {
  const { id, head, submission } = snapshot;
  const { type } = submission;
  const { losses } = head;
  const fields = { ...taskFields(snapshot), losses };
  log.warn(fields, `task ${id} (${type}) has lost ${losses} workers; it runs alone`);
}
