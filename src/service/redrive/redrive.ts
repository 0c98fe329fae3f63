import { taskFields } from '../../ports/task-fields.ts';
import type { Snapshot } from '../../ports/task-store.ts';
import { commitCommand, readTask } from '../commit.ts';
import type { ServiceContext } from '../context.ts';
import { makeReady } from '../hand-over.ts';
import { notFound, rejectionError } from '../rejections.ts';
import type { RedriveManyRequest, RedriveManyResult } from '../service.ts';

/**
 * Redrives a dead task: the task waits again and is due at once. The same write sets the task's due entry, so
 * that a crash before the dispatch loses nothing. A task that had left its lane joins the end of the lane; a
 * task that blocked its lane keeps its place.
 */
export async function redriveSnapshot(
  context: ServiceContext,
  read: Snapshot,
  actor: string,
): Promise<Snapshot> {
  const done = await commitCommand(context, read, { kind: 'redrive', actor }, (change, snapshot) => ({
    ...change,
    rejoinLane: snapshot.head.inLane && !snapshot.head.holdsLane,
  }));
  if (done.kind === 'notFound') throw notFound(read.id);
  if (done.kind === 'rejected') throw rejectionError(read.id, done.rejection);
  if (done.events.length > 0) {
    // If the immediate dispatch of a redriven task fails, its due entry remains, and the sweep dispatches the task.
    await makeReady(context, done.snapshot, 'redrive').catch((err: unknown) => {
      context.log.warn(
        { err, ...taskFields(done.snapshot) },
        'could not dispatch a redriven task; the sweep will do it',
      );
    });
  }
  return done.snapshot;
}

/**
 * Records redriven tasks for the reconciler in the background, so that its searches for lost dispatch
 * messages examine the tasks as if they were submitted now. Does nothing with a transactional broker, which
 * loses no messages.
 */
export function noteRedriven(context: ServiceContext, redriven: readonly Snapshot[]): void {
  if (context.store.can.transactionalDispatch || redriven.length === 0) return;
  context.background('redrive note', context.redriveNotes.note(redriven));
}

export async function redrive(
  context: ServiceContext,
  tenant: string,
  id: string,
  actor: string,
): Promise<Snapshot> {
  const snapshot = await readTask(context, tenant, id);
  if (snapshot === undefined) throw notFound(id);
  const redriven = await redriveSnapshot(context, snapshot, actor);
  noteRedriven(context, [redriven]);
  return redriven;
}

/**
 * Redrives up to `limit` dead tasks that match a filter, page by page, and begins no further page once it has examined
 * `limits.listExamined` tasks: a filter that few tasks match would otherwise outlast the call's deadline. Another call
 * with the returned cursor continues the work. A repeated call does no harm.
 */
export async function redriveMany(
  context: ServiceContext,
  request: RedriveManyRequest,
): Promise<RedriveManyResult> {
  const nowMs = context.clock.now();
  const { pageItems, listExamined } = context.store.limits;
  let { cursor } = request;
  let examined = 0;
  let examinedUntilMs: number | undefined;
  let matched = 0;
  let redriven = 0;
  let refused = 0;
  do {
    const limit = Math.min(pageItems, request.limit - matched);
    const page = await context.store.list({ ...request.filter, state: 'dead' }, { limit, cursor, nowMs });
    cursor = page.cursor;
    examined += page.examined;
    examinedUntilMs = page.examinedUntilMs ?? examinedUntilMs;
    const done: Snapshot[] = [];
    for (const snapshot of page.items) {
      matched++;
      if (request.dryRun) continue;
      await redriveSnapshot(context, snapshot, request.actor).then(
        (one) => done.push(one),
        () => refused++,
      );
    }
    redriven += done.length;
    noteRedriven(context, done);
    // An embedded store reads its pages without a pause, and other calls must be served meanwhile.
    await new Promise<void>((resolve) => context.clock.soon(resolve));
  } while (cursor !== undefined && matched < request.limit && examined < listExamined);
  return { matched, redriven, refused, examined, examinedUntilMs, cursor };
}
