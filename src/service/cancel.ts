import type { Snapshot } from '../ports/task-store.ts';
import { commitCommand, readTask } from './commit.ts';
import type { ServiceContext } from './context.ts';
import { notFound, rejectionError } from './rejections.ts';

/**
 * Cancels a task. A waiting task ends at once. The worker of a running task gets a cancellation request through its
 * session on this node or with its next heartbeat; if it ignores the request, the task is cancelled when the lease
 * expires. A worker that has not called the handler yet gives the task back and does not call it. A dead task
 * that blocks its lane (`onDead: hold`) is cancelled too, so that the lane continues with its next task.
 */
export async function cancel(
  context: ServiceContext,
  tenant: string,
  id: string,
  by: { readonly actor: string; readonly message: string },
): Promise<Snapshot> {
  const snapshot = await readTask(context, tenant, id);
  if (snapshot === undefined) throw notFound(id);
  const done = await commitCommand(context, snapshot, {
    kind: 'cancel',
    actor: by.actor,
    message: by.message,
  });
  if (done.kind === 'notFound') throw notFound(id);
  if (done.kind === 'rejected') throw rejectionError(id, done.rejection);
  const { head } = done.snapshot;
  if (head.state === 'running') {
    context.sessions
      .ofWorker({ tenant, worker: head.worker })
      ?.cancelAttempt(id, head.fencingToken, 'cancelled');
  }
  return done.snapshot;
}
