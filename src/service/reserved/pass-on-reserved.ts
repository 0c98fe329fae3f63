import type { TaskId } from '../../ports/task-store.ts';
import type { ServiceContext } from '../context.ts';
import type { LiveSession } from '../session/sessions.ts';
import { releaseAfterDrain, releaseAfterSuddenCut } from './release-reserved.ts';

/**
 * Passes on the tasks that a closed stream has given to its worker and that have not begun: to the worker's next session
 * if the stream was drained, because the worker keeps them for some seconds, otherwise back to their queues. `unacknowledged` are the tasks
 * whose assignments the worker may not have received.
 */
export function passOnReserved(
  context: ServiceContext,
  { tenant, worker, reserved }: Pick<LiveSession, 'tenant' | 'worker' | 'reserved'>,
  {
    isDrained,
    unacknowledged,
  }: { readonly isDrained: boolean; readonly unacknowledged: ReadonlySet<TaskId> },
): void {
  const left = reserved.list();
  if (!isDrained) {
    releaseAfterSuddenCut(context, left, unacknowledged);
    return;
  }
  const next = context.sessions.ofWorker({ tenant, worker });
  const received = left.filter(({ snapshot }) => !unacknowledged.has(snapshot.id));
  next?.reserved.keep(received);
  releaseAfterDrain(context, received);
  context.rebalance.begin();
  const notReceived = left.filter(({ snapshot }) => unacknowledged.has(snapshot.id));
  // A stream may be cut just after its drain has begun.
  releaseAfterSuddenCut(context, notReceived, unacknowledged);
}
