import { lapsed } from '../core/decision.ts';
import type { Snapshot } from '../ports/task-store.ts';
import { commitCommand, factsOf } from '../service/commit.ts';
import type { ServiceContext } from '../service/context.ts';
import { handOver, makeReady } from '../service/hand-over.ts';

const batch = 100;

/** One task whose due entry came up: its hand-over, its end, or its readiness. The entry may lag, so the head decides. */
async function act(context: ServiceContext, snapshot: Snapshot): Promise<void> {
  const { head } = snapshot;
  const nowMs = context.clock.now();
  if (head.handOver) await handOver(context, snapshot);
  else if (head.state !== 'waiting') return;
  else if (lapsed(head, factsOf(context, snapshot), nowMs) !== undefined) {
    await commitCommand(context, snapshot, { kind: 'lapse' });
  } else if (head.waitUntilMs !== undefined && head.waitUntilMs <= nowMs)
    await makeReady(context, snapshot, 'due');
}

/** Serves one shard of the due index once; true: there may be more. */
export async function sweepShard(
  context: ServiceContext,
  shard: number,
  signal: AbortSignal,
): Promise<boolean> {
  const nowMs = context.clock.now();
  const entries = await context.store.due(shard, nowMs, batch);
  if (entries.length === 0) return false;
  const snapshots = await context.store.read(
    entries.map((entry) => entry.id),
    nowMs,
  );
  const acts: Promise<void>[] = [];
  for (const snapshot of snapshots) {
    if (snapshot === undefined || signal.aborted) continue;
    acts.push(
      act(context, snapshot).catch((err: unknown) => {
        const { queue } = snapshot.submission.scope;
        context.log.warn({ err, task_id: snapshot.id, queue }, 'could not act on a due task; it stays due');
      }),
    );
  }
  await Promise.all(acts);
  return entries.length === batch;
}

/** Serves every shard that is this node's, asked anew before each: it may have been held up since the last. */
export async function sweep(
  context: ServiceContext,
  signal: AbortSignal,
  isMine: (shard: number) => boolean = () => true,
): Promise<boolean> {
  let more = false;
  for (let shard = 0; shard < context.store.dueShards && !signal.aborted; shard++) {
    if (!isMine(shard)) continue;
    more = (await sweepShard(context, shard, signal)) || more;
  }
  context.held.prune(context.clock.now());
  return more;
}
