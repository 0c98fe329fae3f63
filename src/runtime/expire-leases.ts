import { isEnded } from '../core/task/head.ts';
import { commitCommand } from '../service/commit.ts';
import type { ServiceContext } from '../service/context.ts';

const batch = 100;
/** A worker with a free slot comes first; after this the process that holds the bells hears them itself. */
const leaveToWorkersMs = 1_500;

/**
 * Where bells live in this process, nobody else would hear the bell of a lease that was spent while no worker had a
 * slot: ends it, so that the task shows as ready.
 */
export async function expireLeases(context: ServiceContext): Promise<boolean> {
  if (context.broker.expiredLeases === undefined) return false;
  const deliveries = await context.broker.expiredLeases(context.clock.now(), leaveToWorkersMs, batch);
  if (deliveries.length === 0) return false;
  const nowMs = context.clock.now();
  const read = await context.store.read(
    deliveries.map((delivery) => delivery.message.id),
    nowMs,
  );
  for (const snapshot of read) {
    if (snapshot !== undefined && !isEnded(snapshot.head))
      await commitCommand(context, snapshot, { kind: 'expire' });
  }
  return deliveries.length === batch;
}
