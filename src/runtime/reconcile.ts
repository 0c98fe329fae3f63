import { lapsed, leaseSpentAtMs } from '../core/decision.ts';
import { dueAtMs, isEnded } from '../core/head.ts';
import { defaults } from '../core/limits.ts';
import type { Filter, QueueRef, Snapshot } from '../ports/task-store.ts';
import { commitCommand, factsOf } from '../service/commit.ts';
import type { ServiceContext } from '../service/context.ts';
import { isLowest, ring } from '../service/hand-over.ts';

const minuteMs = 60_000;
const dayMs = 1_440 * minuteMs;
/** How old a submission is when it is looked at; the last look is just after its default lifetime. */
export const looks: readonly { readonly name: string; readonly ageMs: number }[] = [
  { name: '10m', ageMs: 10 * minuteMs },
  { name: '1d', ageMs: dayMs },
  { name: '13d', ageMs: 13 * dayMs },
  { name: 'lifetime', ageMs: defaults.lifetimeMs + minuteMs },
];
const kind = 'reconciled';

/**
 * One unfinished task: its end where its time is over, else its bell where it has no valid lease and no due entry
 * ahead. Ringing a task that has its bell does no harm: the claim's condition decides.
 */
async function lookAt(context: ServiceContext, snapshot: Snapshot): Promise<void> {
  const { head } = snapshot;
  const nowMs = context.clock.now();
  if (isEnded(head)) return;
  if (head.state === 'waiting' && lapsed(head, factsOf(context, snapshot), nowMs) !== undefined) {
    await commitCommand(context, snapshot, { kind: 'lapse' });
    return;
  }
  if (context.store.can.bellsInCommit) return;
  if (head.state === 'running' && nowMs < leaseSpentAtMs(head)) return;
  if (head.waitUntilMs !== undefined && (dueAtMs(head) ?? 0) > nowMs) return;
  if (await isLowest(context, snapshot)) await ring(context, snapshot, head.version, 'again');
}

async function lookRange(
  context: ServiceContext,
  ref: QueueRef,
  fromMs: number,
  untilMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  let cursor: string | undefined;
  do {
    const { tenant, queue } = ref;
    const filter: Filter = {
      tenant,
      queue,
      state: 'unfinished',
      acceptedFromMs: fromMs,
      acceptedUntilMs: untilMs,
    };
    const limit = context.store.limits.pageItems;
    const page = await context.store.list(filter, { limit, cursor, nowMs: context.clock.now() });
    for (const snapshot of page.items) await lookAt(context, snapshot);
    cursor = page.cursor;
    if (signal.aborted) return false;
  } while (cursor !== undefined);
  return true;
}

/**
 * Looks at each submission when it is 10 minutes, a day and 13 days old and just after its default lifetime, so that
 * a bell lost by any crash is rung again. How far each look has come is remembered per queue.
 */
export async function reconcile(context: ServiceContext, signal: AbortSignal): Promise<boolean> {
  for (const queue of context.queues.all()) {
    for (const look of looks) {
      if (signal.aborted) return false;
      const key = `${look.name}/${queue.tenant}/${queue.queue}`;
      const marker = await context.registry.get(kind, key);
      const fromMs = typeof marker?.value === 'number' ? marker.value : 0;
      const untilMs = context.clock.now() - look.ageMs;
      if (untilMs <= fromMs) continue;
      if (!(await lookRange(context, queue, fromMs, untilMs, signal))) return false;
      await context.registry.put(kind, key, untilMs, marker?.rev ?? 'absent');
    }
  }
  return false;
}
