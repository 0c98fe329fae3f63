/**
 * The metrics that the rules and runbooks name, as the catalogue of metrics defines them. It stands in for the catalogue
 * in a checkout that has none.
 */
/** The part of a metric's definition from which its series follow. */
export interface Metric {
  readonly kind: string;
  readonly unit: string;
  readonly labels: Readonly<Record<string, readonly string[] | 'names'>>;
  readonly bounds?: readonly number[];
}

const names = 'names';

export const usedMetrics: Readonly<Record<string, Metric>> = {
  'holdfast.queue.tasks': {
    kind: 'gauge',
    unit: '{task}',
    labels: { queue: names, state: ['scheduled', 'ready', 'running', 'dead'] },
  },
  'holdfast.queue.oldest_ready.age': { kind: 'gauge', unit: 's', labels: { queue: names } },
  'holdfast.queue.unserved': {
    kind: 'gauge',
    unit: '{task}',
    labels: { queue: names, cause: ['no_worker', 'no_type', 'no_version', 'paused', 'lane_held'] },
  },
  'holdfast.queue.paused': { kind: 'gauge', unit: '{queue}', labels: { queue: names } },
  'holdfast.worker.connected': { kind: 'gauge', unit: '{worker}', labels: { queue: names } },
  'holdfast.worker.slots': { kind: 'gauge', unit: '{slot}', labels: { state: ['used', 'free'] } },
  'holdfast.sweep.lag': {
    kind: 'gauge',
    unit: 's',
    labels: { loop: ['sweep', 'purge', 'reconcile', 'release_lanes', 'expire_leases'] },
  },
  'holdfast.task.ended': {
    kind: 'counter',
    unit: '{task}',
    labels: {
      queue: names,
      type: names,
      outcome: ['succeeded', 'dead', 'cancelled'],
      reason: ['', 'attempts', 'fatal', 'deadline', 'lifetime', 'worker_lost'],
    },
  },
  'holdfast.attempt.ended': {
    kind: 'counter',
    unit: '{attempt}',
    labels: {
      queue: names,
      type: names,
      outcome: ['succeeded', 'failed', 'fatal', 'timeout', 'lease_expired', 'worker_lost'],
    },
  },
  'holdfast.task.submissions': {
    kind: 'counter',
    unit: '{task}',
    labels: { queue: names, type: names, result: ['accepted', 'deduplicated', 'conflict', 'refused'] },
  },
  'holdfast.task.wait.duration': {
    kind: 'histogram',
    unit: 's',
    bounds: [1, 5, 10, 60],
    labels: { queue: names, type: names, priority: ['high', 'normal', 'low'] },
  },
  'holdfast.task.duration': {
    kind: 'histogram',
    unit: 's',
    bounds: [60, 300, 1_800, 3_600],
    labels: { queue: names, type: names, outcome: ['succeeded', 'dead', 'cancelled'] },
  },
  'holdfast.lease.expired': { kind: 'counter', unit: '{lease}', labels: { queue: names } },
  'holdfast.certificate.expiry': {
    kind: 'gauge',
    unit: 's',
    labels: { role: ['server', 'client', 'authority'] },
  },
  'holdfast.store.size': { kind: 'gauge', unit: 'By', labels: {} },
  'holdfast.store.wal.size': { kind: 'gauge', unit: 'By', labels: {} },
  'holdfast.store.commit.duration': {
    kind: 'histogram',
    unit: 's',
    bounds: [0.1, 1],
    labels: { engine: ['sqlite', 'aws', 'memory'], operation: ['accept', 'append'] },
  },
  'holdfast.overload.state': { kind: 'gauge', unit: '{state}', labels: { dependency: ['table', 'queues'] } },
  'holdfast.aws.throttled': { kind: 'counter', unit: '{request}', labels: { operation: names } },
};
