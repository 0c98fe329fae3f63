import { type Dashboard, percentiles, quantileOf, queueVariable, rateOf } from './definition.ts';

const ofQueue = '{queue=~"$queue"}';

export const queues: Dashboard = {
  name: 'Queues',
  description: 'How much waits and runs in the queues, how long, and how it ends.',
  variables: [queueVariable],
  panels: [
    {
      title: 'Depth',
      description: 'Unfinished and dead tasks. On AWS these are lower bounds.',
      queries: [
        {
          promql: `sum by (queue, state) (holdfast_queue_tasks${ofQueue})`,
          legend: '{{queue}} {{state}}',
        },
      ],
    },
    {
      title: 'Age',
      description: 'How long the task has been ready that has waited longest.',
      unit: 's',
      queries: [
        {
          promql: `max by (queue) (holdfast_queue_oldest_ready_age_seconds${ofQueue})`,
          legend: '{{queue}}',
        },
      ],
    },
    {
      title: 'Unserved',
      description: 'Ready tasks that no worker can take, by the cause. `holdfast trouble` names the tasks.',
      queries: [
        {
          promql: `max by (queue, cause) (holdfast_queue_unserved${ofQueue})`,
          legend: '{{queue}} {{cause}}',
        },
      ],
    },
    {
      title: 'Paused',
      description: '1 if the queue is paused.',
      queries: [{ promql: `max by (queue) (holdfast_queue_paused${ofQueue})`, legend: '{{queue}}' }],
    },
    {
      title: 'Submissions',
      unit: 'ops',
      queries: [
        {
          promql: rateOf('holdfast_task_submissions_total', 'queue, result', ofQueue),
          legend: '{{queue}} {{result}}',
        },
      ],
    },
    {
      title: 'Outcomes',
      description: 'Tasks that ended a second. A dead task has a reason.',
      unit: 'ops',
      queries: [
        {
          promql: rateOf('holdfast_task_ended_total', 'queue, outcome, reason', ofQueue),
          legend: '{{queue}} {{outcome}} {{reason}}',
        },
      ],
    },
    {
      title: 'Attempts',
      description: 'Claims that ended a second.',
      unit: 'ops',
      queries: [
        {
          promql: rateOf('holdfast_attempt_ended_total', 'queue, outcome', ofQueue),
          legend: '{{queue}} {{outcome}}',
        },
      ],
    },
    {
      title: 'Time of attempts',
      description: 'From the claim of a task until the end of the claim. The dots are kept traces: open one.',
      unit: 's',
      queries: [
        ...percentiles('holdfast_attempt_duration_seconds', 'queue', ofQueue),
        {
          promql: quantileOf(
            0.99,
            'traces_duration_seconds',
            'messaging_destination_name',
            '{span_kind="SPAN_KIND_CONSUMER",messaging_destination_name=~"$queue"}',
          ),
          legend: '99 % of the kept traces {{messaging_destination_name}}',
          exemplars: true,
        },
      ],
    },
    {
      title: 'Wait',
      description: 'From when a task was ready until it was claimed.',
      unit: 's',
      queries: percentiles('holdfast_task_wait_duration_seconds', 'queue', ofQueue),
    },
    {
      title: 'Completion',
      description: 'From the run time of a task until its end.',
      unit: 's',
      queries: percentiles('holdfast_task_duration_seconds', 'queue', ofQueue),
    },
    {
      title: 'Expired leases',
      description: 'Leases that ended without a report of their worker, a second.',
      unit: 'ops',
      queries: [{ promql: rateOf('holdfast_lease_expired_total', 'queue', ofQueue), legend: '{{queue}}' }],
    },
  ],
};
