import type { QueueRef } from '../../core/queue-ref.ts';
import type { Gauges } from '../../ports/metrics.ts';
import { ownWorkers } from '../../service/admin/known-workers.ts';
import type { ServiceContext } from '../../service/context.ts';
import type { Sweeper } from '../sweep.ts';
import type { LoopAges } from './loop-ages.ts';
import { observeQueues } from './observe-queues.ts';
import { ShownQueues } from './shown-queues.ts';

/** The shortest time in ms between two reads of the queues: of a file that this process has open, and of a table. */
const queuesEveryMs = { own: 10_000, shared: 60_000 } as const;

export interface ObservedParts {
  /** Returns true for a queue of which this node shows the metrics: of several nodes one does. */
  isMine(queue: QueueRef): boolean;
  readonly loopAges: LoopAges;
  readonly sweeper: Pick<Sweeper, 'oldestDueAtMs'>;
}

/** Adds the gauges of a node to its metrics: the queues, the workers and the background loops. */
export function observeNode(context: ServiceContext, parts: ObservedParts): void {
  const { metrics, store, overload } = context;
  if (metrics === undefined) return;
  const shown = new ShownQueues();
  metrics.addSource({
    name: 'queues',
    everyMs: store.can.sharedWriters ? queuesEveryMs.shared : queuesEveryMs.own,
    read: (gauges) => observeQueues(context, gauges, shown.of(context.queues.all().filter(parts.isMine))),
  });
  metrics.addSource({
    name: 'node',
    everyMs: 0,
    read: (gauges) => {
      observeLoops(context, gauges, parts);
      observeWorkers(context, gauges);
      for (const [dependency, { state }] of Object.entries(overload?.view().dependencies ?? {}))
        gauges.set('holdfast.overload.state', { dependency }, breakerNumbers[state]);
    },
  });
}

const breakerNumbers = { closed: 0, halfOpen: 1, open: 2 } as const;

function observeLoops({ clock }: ServiceContext, gauges: Gauges, { loopAges, sweeper }: ObservedParts): void {
  for (const [loop, ageMs] of loopAges.ages())
    gauges.set('holdfast.sweep.lag', { loop: loop.replaceAll(' ', '_') }, ageMs / 1_000);
  const dueMs = clock.now() - sweeper.oldestDueAtMs;
  if (dueMs > 0) gauges.set('holdfast.sweep.lag', { loop: 'sweep' }, dueMs / 1_000);
}

function observeWorkers(context: ServiceContext, gauges: Gauges): void {
  for (const { tenant, queue } of context.queues.all())
    gauges.set('holdfast.worker.connected', { tenant, queue }, 0);
  for (const { tenant, queues } of ownWorkers(context).workers)
    for (const queue of queues) gauges.set('holdfast.worker.connected', { tenant, queue }, 1);
}
