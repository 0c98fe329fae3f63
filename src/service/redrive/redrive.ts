import type { Snapshot } from '../../ports/task-store.ts';
import { commitCommand, readOf } from '../commit.ts';
import type { ServiceContext } from '../context.ts';
import { makeReady } from '../hand-over.ts';
import { notFound, rejectionError } from '../rejections.ts';
import type { RedriveManyRequest, RedriveManyResult } from '../service.ts';

/**
 * A dead task waits again, due at once: the same write sets the due entry, so that a crash before the ring loses
 * nothing. From a released lane it joins at the tail; a held one still has its pointer.
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
  if (done.kind === 'gone') throw notFound(read.id);
  if (done.kind === 'rejected') throw rejectionError(read.id, done.rejection);
  if (done.events.length > 0) {
    // The redriver rings at once; where that fails the sweep does it, since the due entry stands.
    await makeReady(context, done.snapshot, 'redrive').catch((err: unknown) => {
      context.log.warn(
        { err, task_id: read.id, queue: read.submission.scope.queue },
        'the sweep will ring this redriven task',
      );
    });
  }
  return done.snapshot;
}

/** Where a bell can be lost: a redriven task is looked after as if it had been submitted now. */
export function noteRedriven(context: ServiceContext, redriven: readonly Snapshot[]): void {
  if (context.store.can.transactionalDispatch || redriven.length === 0) return;
  context.background('a note of what was redriven', context.redriven.note(redriven));
}

export async function redrive(
  context: ServiceContext,
  tenant: string,
  id: string,
  actor: string,
): Promise<Snapshot> {
  const snapshot = await readOf(context, tenant, id);
  if (snapshot === undefined) throw notFound(id);
  const redriven = await redriveSnapshot(context, snapshot, actor);
  noteRedriven(context, [redriven]);
  return redriven;
}

/** Redrives dead tasks page by page, at most `limit` a call; the cursor goes on. Repeating it does no harm. */
export async function redriveMany(
  context: ServiceContext,
  request: RedriveManyRequest,
): Promise<RedriveManyResult> {
  const nowMs = context.clock.now();
  let { cursor } = request;
  let matched = 0;
  let redriven = 0;
  let refused = 0;
  do {
    const limit = Math.min(context.store.limits.pageItems, request.limit - matched);
    const page = await context.store.list({ ...request.filter, state: 'dead' }, { limit, cursor, nowMs });
    cursor = page.cursor;
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
  } while (cursor !== undefined && matched < request.limit);
  return { matched, redriven, refused, cursor };
}
