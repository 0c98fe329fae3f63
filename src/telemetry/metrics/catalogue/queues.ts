import { type MetricDefinition, names } from './metric.ts';

const onServer = ['server'] as const;

/** The causes for which a ready task has no worker that could take it. */
export const unservedCauses = ['no_worker', 'no_type', 'no_version', 'paused', 'lane_held'] as const;

/** The state of queues, workers and background loops, read when the metrics are collected. */
export const queueMetrics = {
  'holdfast.queue.tasks': {
    kind: 'gauge',
    combine: 'sum',
    unit: '{task}',
    labels: { queue: names, state: ['scheduled', 'ready', 'running', 'dead'] },
    description:
      'The unfinished and the dead tasks of a queue. `running` has every task with a lease. On AWS these are counts of the newest 1,000 tasks of the queue, and so lower bounds.',
    usedBy: 'panel Queues: depth',
    on: onServer,
  },
  'holdfast.queue.oldest_ready.age': {
    kind: 'gauge',
    combine: 'max',
    unit: 's',
    labels: { queue: names },
    description:
      'How long the task has been ready that has waited longest; 0 if none is ready. Tasks that wait for their turn in a lane do not count, nor do those of a paused queue while another tenant’s queue of its name is not paused. On AWS the newest 1,000 tasks are examined, so it is a lower bound.',
    usedBy: 'alert OldestReady; panel Queues: age',
    on: onServer,
  },
  'holdfast.queue.unserved': {
    kind: 'gauge',
    combine: 'sum',
    unit: '{task}',
    labels: { queue: names, cause: unservedCauses },
    description:
      'Ready tasks that no worker can take: none is connected, none handles the type or the version, the queue is paused, or a dead task holds their lane.',
    usedBy:
      'alert Unserved; panel Queues: unserved; verdicts NO_WORKER, NO_WORKER_FOR_TYPE, NO_WORKER_FOR_VERSION, QUEUE_PAUSED, LANE_HELD_BY_DEAD',
    on: onServer,
  },
  'holdfast.queue.paused': {
    kind: 'gauge',
    combine: 'min',
    unit: '{queue}',
    labels: { queue: names },
    description:
      '1 if the queue is paused, otherwise 0. Of queues of one name that share the series, all must be paused.',
    usedBy: 'alert OldestReady; panel Queues: paused; verdict QUEUE_PAUSED',
    on: onServer,
  },
  'holdfast.worker.connected': {
    kind: 'gauge',
    combine: 'sum',
    unit: '{worker}',
    labels: { queue: names },
    description: 'The workers of the queue on this node: streams, and pollers of the last minute.',
    usedBy: 'panel Workers: connected',
    on: onServer,
  },
  'holdfast.worker.slots': {
    kind: 'gauge',
    combine: 'sum',
    unit: '{slot}',
    labels: { state: ['used', 'free'] },
    description: 'The slots of the workers of this process, each for one running attempt.',
    usedBy: 'panel Workers: slots; verdict WORKERS_FULL',
    on: ['worker'],
  },
  'holdfast.sweep.lag': {
    kind: 'gauge',
    combine: 'max',
    unit: 's',
    labels: {
      loop: [
        'sweep',
        'purge',
        'reconcile',
        'release_lanes',
        'expire_leases',
        'membership',
        'settings',
        'unserved',
        'ended_pauses',
        'workers',
      ],
    },
    description:
      'How long ago a background loop last ended a round without a failure. For `sweep` also how long the oldest due task has waited, if that is longer.',
    usedBy: 'alert SweepLag; alert NoSeries; panel Store: lag of the loops',
    on: onServer,
  },
  'holdfast.sweep.dispatched': {
    kind: 'counter',
    unit: '{task}',
    labels: {},
    description: 'Due tasks that the sweep dispatched.',
    usedBy: 'panel Store: sweep',
    on: onServer,
  },
  'holdfast.reconcile.repaired': {
    kind: 'counter',
    unit: '{task}',
    labels: { cause: ['message_lost', 'lapsed'] },
    description:
      'Tasks that the reconciler put right: their dispatch messages were sent again, or their lifetimes were over.',
    usedBy: 'panel Store: repairs; verdict MESSAGE_LOST',
    on: onServer,
  },
} as const satisfies Record<string, MetricDefinition>;
