/** What becomes of a bell whose task is not claimed by whoever heard it. */

import { limits } from '../../core/limits.ts';
import type { Rejection } from '../../core/task/command.ts';
import { isEnded } from '../../core/task/head.ts';
import type { Bell } from '../../ports/broker.ts';
import type { Snapshot } from '../../ports/task-store.ts';
import type { ServiceContext } from '../context.ts';
import { ring } from '../hand-over.ts';

const minuteMs = 60_000;
const unknownHideMs = 5_000;
/** A task that is not there is taken for gone once the message that names it is so old. */
export const unknownForgetMs = 10 * minuteMs;
/**
 * Not for this worker, but maybe for the next that polls: at first it is heard again soon, so that workers of one queue
 * that handle different types do not keep tasks from each other. Later more rarely, since each hearing costs.
 */
const unhandledHideMs = 1_000;
const unhandledSoon = 8;
const unhandledHideMaxMs = 2 * minuteMs;

/** What could not be claimed is heard again after so long, twice as long each time. */
const giveBackMs = 2_000;
const giveBackMaxMs = 4_000;

export async function ringAnew(context: ServiceContext, bell: Bell): Promise<void> {
  const [rung] = await context.bells.ring([{ ...bell.ring, reason: 'again' }]);
  if (rung === true) await context.bells.silence([bell.handle]);
}

export async function unknown(context: ServiceContext, bell: Bell): Promise<void> {
  if (context.clock.now() - bell.sentAtMs > unknownForgetMs) await context.bells.silence([bell.handle]);
  else await context.bells.hide([{ handle: bell.handle, ms: unknownHideMs }]);
}

export async function unhandled(context: ServiceContext, bell: Bell): Promise<void> {
  const doublings = Math.max(0, bell.receives - unhandledSoon);
  const ms = Math.min(unhandledHideMaxMs, unhandledHideMs * 2 ** doublings);
  await context.bells.hide([{ handle: bell.handle, ms }]);
}

/**
 * It lies in another queue than its task's: forged, or put there from a dead-letter queue. Whoever listens there has no
 * right to the task; it is rung for where it belongs.
 */
export async function misplaced(context: ServiceContext, bell: Bell, snapshot: Snapshot): Promise<void> {
  const { tenant, queue } = bell.ring.queue;
  context.log.warn({ task_id: snapshot.id, tenant, queue }, 'a bell lay in a queue that is not its task’s');
  if (!isEnded(snapshot.head)) await ring(context, snapshot, snapshot.head.version, 'again');
  await context.bells.silence([bell.handle]);
}

export function isMisplaced({ ring: { queue } }: Bell, { submission: { scope } }: Snapshot): boolean {
  return scope.tenant !== queue.tenant || scope.queue !== queue.queue;
}

/**
 * The store could not be asked or did not take the claim, such as one that is throttled: heard again soon, not only when
 * a lease would have ended. Where the claim stands nevertheless the next hearer finds its lease.
 */
export async function giveBack(context: ServiceContext, bells: readonly Bell[]): Promise<void> {
  if (context.store.can.bellsInCommit || bells.length === 0) return;
  const hidden = bells.map(({ handle, receives }) => {
    const ms = Math.min(giveBackMaxMs, giveBackMs * 2 ** Math.max(0, receives - 1));
    return { handle, ms };
  });
  await context.bells.hide(hidden);
}

/**
 * Nothing could be learned of their tasks. One that was heard so often meanwhile is rung anew here too, else SQS would
 * take it for what nobody can read, and move it to the dead letters after some minutes.
 */
export async function giveBackUnread(context: ServiceContext, bells: readonly Bell[]): Promise<void> {
  if (context.store.can.bellsInCommit) return;
  const isOld = ({ receives }: Bell): boolean => receives >= limits.bellReceives;
  const young = bells.filter((bell) => !isOld(bell));
  const old = bells.filter(isOld).map((bell) => ringAnew(context, bell));
  await Promise.all([giveBack(context, young), ...old]);
}

/** Why it cannot be claimed says what becomes of its bell. */
export async function answerRejection(
  context: ServiceContext,
  bell: Bell,
  rejection: Rejection,
): Promise<void> {
  const aheadMs = 'untilMs' in rejection ? rejection.untilMs - context.clock.now() : 0;
  switch (rejection.why) {
    case 'leased':
      await context.bells.hide([{ handle: bell.handle, ms: Math.max(1, aheadMs) }]);
      return;
    case 'scheduled':
      // Never claimed while scheduled: the sweep rings first and clears then, and this may be its ring.
      if (aheadMs < minuteMs)
        await context.bells.hide([{ handle: bell.handle, ms: Math.max(0, aheadMs) + 1_000 }]);
      else await context.bells.silence([bell.handle]);
      return;
    default:
      await context.bells.silence([bell.handle]);
  }
}
