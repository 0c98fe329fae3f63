/**
 * The metrics that a process writes for CloudWatch as lines of EMF: few, since CloudWatch bills each of them. They are the
 * metrics by which workers scale, deployments are taken back and the alarms of docs/runbooks fire. holdfast/cdk reads the
 * same names.
 */

/** The dimension of a metric of one queue. */
export const queueDimension = 'Queue';

export const emfMetrics = {
  oldestReadyAge: {
    name: 'OldestReadyAge',
    unit: 'Seconds',
    description: 'How long the task of the queue has been ready that has waited longest.',
  },
  readyTasks: {
    name: 'ReadyTasks',
    unit: 'Count',
    description: 'The ready tasks of the queue.',
  },
  unserved: {
    name: 'Unserved',
    unit: 'Count',
    description:
      'The ready tasks of the queue that no worker can take. Those of paused queues are left out. Also without a queue, as the sum of all queues but the canary’s.',
  },
  tasksDead: { name: 'TasksDead', unit: 'Count', description: 'The tasks of the queue that died.' },
  leasesExpired: {
    name: 'LeasesExpired',
    unit: 'Count',
    description: 'The leases of the queue that expired without a report of their worker.',
  },
  starts: { name: 'Starts', unit: 'Count', description: 'The tasks that were claimed.' },
  lateStarts: {
    name: 'LateStarts',
    unit: 'Count',
    description: 'The tasks that were claimed later than 5 s after they were ready.',
  },
  ends: { name: 'Ends', unit: 'Count', description: 'The tasks that reached an end.' },
  lateEnds: {
    name: 'LateEnds',
    unit: 'Count',
    description:
      'The tasks that reached an end more than an hour after their run time, and those that died of their deadline.',
  },
  calls: { name: 'Calls', unit: 'Count', description: 'The unary calls of the API.' },
  refusedCalls: {
    name: 'RefusedCalls',
    unit: 'Count',
    description:
      'The unary calls that failed by the server and not by their request: denied, unauthenticated, overloaded, unavailable, failed.',
  },
  sweepLag: {
    name: 'SweepLag',
    unit: 'Seconds',
    description: 'How far the loops are behind that act on due tasks, expired leases and lanes.',
  },
  certificateExpiry: {
    name: 'CertificateExpiry',
    unit: 'Seconds',
    description: 'The time until the first certificate of the process expires.',
  },
  goodSlots: { name: 'GoodSlots', unit: 'Count', description: 'The good slots of the canary.' },
  badSlots: { name: 'BadSlots', unit: 'Count', description: 'The bad slots of the canary.' },
} as const;

export type EmfMetric = keyof typeof emfMetrics;

/** The longest name of a namespace of CloudWatch, and its characters. */
export const namespaceRule = /^[A-Za-z0-9._#/:-]{1,255}$/;

/** How often a process writes its lines, in ms: the shortest period of CloudWatch's standard metrics. */
export const emfEveryMs = 60_000;
