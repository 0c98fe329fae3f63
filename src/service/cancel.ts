import type { Snapshot } from '../ports/task-store.ts';
import { commitCommand, readOf } from './commit.ts';
import type { ServiceContext } from './context.ts';
import { notFound, rejectionError } from './rejections.ts';

/**
 * A waiting task ends at once; a running one is asked to, by its session here or by its next heartbeat, and the
 * lease's end forces it. A dead one that holds its lane is skipped.
 */
export async function cancel(
  context: ServiceContext,
  tenant: string,
  id: string,
  by: { readonly actor: string; readonly message: string },
): Promise<Snapshot> {
  const snapshot = await readOf(context, tenant, id);
  if (snapshot === undefined) throw notFound(id);
  const done = await commitCommand(context, snapshot, {
    kind: 'cancel',
    actor: by.actor,
    message: by.message,
  });
  if (done.kind === 'gone') throw notFound(id);
  if (done.kind === 'rejected') throw rejectionError(id, done.rejection);
  const { head } = done.snapshot;
  if (head.state === 'running') {
    const held = context.held.get(id, head.fencingToken);
    if (held?.sessionId !== undefined)
      context.sessions.cancelAttempt(held.sessionId, id, head.fencingToken, 'cancelled');
  }
  return done.snapshot;
}
