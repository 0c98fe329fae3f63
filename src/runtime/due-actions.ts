import { HoldfastError } from '../core/errors.ts';
import { lapsed } from '../core/task/decision.ts';
import type { DueEntry, Snapshot } from '../ports/task-store.ts';
import { commitCommand, factsOf } from '../service/commit.ts';
import type { ServiceContext } from '../service/context.ts';
import { handOver, makeReady } from '../service/hand-over.ts';
import { readEach } from '../service/read-each.ts';
import type { Pauses } from './due-backoff.ts';
import { queueName, type Troubles } from './sweep-failure-log.ts';

/** Of acting on due tasks: with whose help, and what is told of it. */
export interface Acting {
  readonly context: ServiceContext;
  readonly signal: AbortSignal;
  readonly pauses: Pauses;
  readonly troubles: Troubles;
}

/** What was done: nothing where the entry lagged, or somebody else was quicker. */
type Done = 'sent' | 'ended' | 'nothing';

/** One task whose due entry came up: its hand-over, its end, or its readiness. The entry may lag, so the head decides. */
async function act(context: ServiceContext, snapshot: Snapshot): Promise<Done> {
  const { head } = snapshot;
  const nowMs = context.clock.now();
  if (head.handOver) {
    await handOver(context, snapshot);
    return 'sent';
  }
  if (head.state !== 'waiting') return 'nothing';
  if (lapsed(head, factsOf(context, snapshot), nowMs) !== undefined) {
    await commitCommand(context, snapshot, { kind: 'lapse' });
    return 'ended';
  }
  if (head.waitUntilMs === undefined || head.waitUntilMs > nowMs) return 'nothing';
  return (await makeReady(context, snapshot, 'due')) ? 'sent' : 'nothing';
}

/** How the tries of one queue's tasks came out. */
class Tries {
  ended = 0;
  sent = 0;
  failed = 0;
}

/** Acts on due tasks all at once, on each whatever happens to others. How many of them were helped. */
export async function actOnAll(acting: Acting, entries: readonly DueEntry[]): Promise<number> {
  const { context, signal, pauses, troubles } = acting;
  const { clock, store } = context;
  const tries = new Map<string, Tries>();

  async function tryOne(entry: DueEntry, snapshot: Snapshot): Promise<void> {
    const { scope } = snapshot.submission;
    const queue = queueName(scope);
    if (pauses.hasQueue(queue, clock.monotonic())) {
      pauses.leftAlone(entry, queue);
      return;
    }
    const counts = tries.get(queue) ?? new Tries();
    tries.set(queue, counts);
    try {
      const done = await act(context, snapshot);
      if (done !== 'nothing') counts[done]++;
      pauses.helped(entry.id);
    } catch (err) {
      counts.failed++;
      pauses.failed(entry, queue, clock.monotonic());
      troubles.failed(scope, entry.id, err);
    }
  }

  const nowMs = clock.now();
  const ids = entries.map(({ id }) => id);
  const found = await readEach(ids, (some) => store.read(some, nowMs));
  const acts: Promise<void>[] = [];
  for (const [i, entry] of entries.entries()) {
    const one = found[i];
    if (one === undefined || signal.aborted) continue;
    if (!(one instanceof HoldfastError)) acts.push(tryOne(entry, one));
    else {
      pauses.failed(entry, queueName(undefined), clock.monotonic());
      troubles.failed(undefined, entry.id, one);
    }
  }
  await Promise.all(acts);
  let helped = 0;
  for (const [queue, counts] of tries) {
    pauses.judge(queue, counts, clock.monotonic());
    helped += counts.sent + counts.ended;
  }
  return helped;
}
