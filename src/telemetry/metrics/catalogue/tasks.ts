import { priorities } from '../../../core/priority.ts';
import { deadReasons } from '../../../core/task/event.ts';
import { errorTypes } from './error-types.ts';
import { callBounds, type MetricDefinition, names, taskBounds } from './metric.ts';

const onServer = ['server'] as const;

/** How an attempt can end. `recalled`: the task was given back before its handler was called. */
export const attemptOutcomes = [
  'succeeded',
  'failed',
  'fatal',
  'timeout',
  'lease_expired',
  'worker_lost',
  'snoozed',
  'released',
  'recalled',
  'deadline',
  'cancelled',
] as const;

export const endReasons = deadReasons.filter((reason) => reason !== undefined).map(snakeCase);

/** Writes a word of the code, such as `workerLost`, as label values are written. */
export function snakeCase(word: string): string {
  return word.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The metrics of tasks, by queue and type. */
export const taskMetrics = {
  'holdfast.task.submissions': {
    kind: 'counter',
    unit: '{task}',
    labels: { queue: names, type: names, result: ['accepted', 'deduplicated', 'conflict', 'refused'] },
    description:
      'Submissions by their results. `conflict`: the key belongs to a task with another request. `refused`: by the store, the overload guard or a deadline; a submission that breaks a rule is not counted.',
    usedBy: 'panel Queues: submissions',
    on: onServer,
  },
  'holdfast.task.ended': {
    kind: 'counter',
    unit: '{task}',
    labels: {
      queue: names,
      type: names,
      outcome: ['succeeded', 'dead', 'cancelled'],
      reason: ['', ...endReasons],
    },
    description: 'Tasks that ended. `reason` says why a task is dead, and is empty for the other outcomes.',
    usedBy:
      'alert DeadInflow; panel Queues: outcomes; panel AWS: dollars per million tasks; panel AWS: units per task; objective completion',
    on: onServer,
  },
  'holdfast.attempt.ended': {
    kind: 'counter',
    unit: '{attempt}',
    labels: { queue: names, type: names, outcome: attemptOutcomes },
    description:
      'Claims that ended. `worker_lost`: the lease expired, or the process ended, while the handler ran. `lease_expired`: the lease expired otherwise. `recalled`: given back before the handler was called. `released`: given back after. `deadline`: the deadline or the lifetime of the task was over.',
    usedBy: 'panel Queues: attempts',
    on: onServer,
  },
  'holdfast.task.wait.duration': {
    kind: 'histogram',
    unit: 's',
    bounds: taskBounds,
    labels: { queue: names, type: names, priority: priorities },
    description:
      'The time from when a task was ready until it was claimed. A task with an ordering key is left out: no time is recorded at which its turn came.',
    usedBy: 'objective start latency; panel Queues: wait',
    on: onServer,
  },
  'holdfast.attempt.duration': {
    kind: 'histogram',
    unit: 's',
    bounds: taskBounds,
    labels: { queue: names, type: names, outcome: attemptOutcomes },
    description: 'The time from the claim of a task until the end of the claim.',
    usedBy: 'panel Queues: time of attempts',
    on: onServer,
  },
  'holdfast.task.duration': {
    kind: 'histogram',
    unit: 's',
    bounds: taskBounds,
    labels: { queue: names, type: names, outcome: ['succeeded', 'dead', 'cancelled'] },
    description: 'The time from the run time of a task (its acceptance, if it has none) until its end.',
    usedBy: 'objective completion; panel Queues: completion',
    on: onServer,
  },
  'holdfast.lease.expired': {
    kind: 'counter',
    unit: '{lease}',
    labels: { queue: names },
    description: 'Leases that ended without a report of their worker.',
    usedBy: 'alert LeaseExpiries; panel Queues: expired leases',
    on: onServer,
  },
  'holdfast.claim.lost': {
    kind: 'counter',
    unit: '{claim}',
    labels: { queue: names, cause: ['race', 'store_failed', 'unanswered'] },
    description:
      'Claims that gave no task: another worker was first, the store failed, or it did not answer in time.',
    usedBy: 'panel Store: lost claims',
    on: onServer,
  },
  'holdfast.settlement.refused': {
    kind: 'counter',
    unit: '{settlement}',
    labels: {
      queue: names,
      cause: [
        'lease_lost',
        'task_ended',
        'outcome_recorded',
        'no_cancel_requested',
        'bad_field',
        'conflict',
        'task_not_found',
      ],
    },
    description:
      'Outcomes that workers reported and the store did not take. `lease_lost` is the fencing of a late worker.',
    usedBy: 'panel Workers: refused outcomes; verdict LEASE_LOST',
    on: onServer,
  },
  'holdfast.heartbeat.lateness': {
    kind: 'histogram',
    unit: 's',
    bounds: [0.1, 0.5, 1, 2.5, 5, 10, 15, 20, 30],
    labels: {},
    description: 'How late heartbeats came. A lease expires if one is 20 s late.',
    usedBy: 'panel Workers: heartbeats; verdict RUNNING_SILENT',
    on: onServer,
  },
  'messaging.process.duration': {
    kind: 'histogram',
    unit: 's',
    bounds: taskBounds,
    labels: {
      'messaging.destination.name': names,
      'messaging.operation.name': ['process'],
      'error.type': ['', 'failed', 'fatal', 'released', 'snoozed', 'cancelled', 'lost', 'lease_lost'],
    },
    description:
      'The time that handlers ran, as the worker measured it. `error.type` is empty for a success.',
    usedBy: 'panel Workers: handlers; panel Workers: failed handlers',
    on: ['worker'],
  },
  'messaging.client.consumed.messages': {
    kind: 'counter',
    unit: '{message}',
    labels: { 'messaging.destination.name': names, 'messaging.operation.name': ['receive'] },
    description: 'Tasks that were given to the workers of this process.',
    usedBy: 'panel Workers: tasks received',
    on: ['worker'],
  },
  'messaging.client.sent.messages': {
    kind: 'counter',
    unit: '{message}',
    labels: {
      'messaging.destination.name': names,
      'messaging.operation.name': ['submit'],
      'error.type': errorTypes,
    },
    description: 'Tasks that this process submitted, such as those of its handlers.',
    usedBy: 'panel Workers: tasks submitted',
    on: ['worker'],
  },
  'messaging.client.operation.duration': {
    kind: 'histogram',
    unit: 's',
    bounds: callBounds,
    labels: {
      'messaging.destination.name': names,
      'messaging.operation.name': ['submit'],
      'error.type': errorTypes,
    },
    description: 'The time of the submit calls of this process.',
    usedBy: 'panel Workers: tasks submitted',
    on: ['worker'],
  },
} as const satisfies Record<string, MetricDefinition>;
