import { type Dashboard, percentiles, quantileOf, rateOf } from './definition.ts';

export const store: Dashboard = {
  name: 'Store',
  description:
    'Whether the store keeps up: commits, refusals, the background loops and the size of the file.',
  panels: [
    {
      title: 'Commits',
      description: 'The time of one write to the store, until it was committed.',
      unit: 's',
      queries: [
        {
          promql: quantileOf(0.5, 'holdfast_store_commit_duration_seconds', 'engine, operation'),
          legend: 'median {{engine}} {{operation}}',
        },
        {
          promql: quantileOf(0.99, 'holdfast_store_commit_duration_seconds', 'engine, operation'),
          legend: '99 % {{engine}} {{operation}}',
        },
      ],
    },
    {
      title: 'Tasks of a commit',
      description: 'The more tasks share a write, the less each costs.',
      queries: percentiles('holdfast_store_commit_rows', 'operation'),
    },
    {
      title: 'Breakers',
      description: 'The circuit breaker of a service of AWS: 0 closed, 1 half open, 2 open.',
      queries: [{ promql: 'max by (dependency) (holdfast_overload_state)', legend: '{{dependency}}' }],
    },
    {
      title: 'Refused submissions',
      description: 'Submissions of calls that were refused as a whole, by the reason.',
      unit: 'ops',
      queries: [{ promql: rateOf('holdfast_submissions_refused_total', 'why'), legend: '{{why}}' }],
    },
    {
      title: 'Lost claims',
      unit: 'ops',
      queries: [
        { promql: rateOf('holdfast_claim_lost_total', 'queue, cause'), legend: '{{queue}} {{cause}}' },
      ],
    },
    {
      title: 'Sweep',
      description: 'Due tasks that were dispatched a second.',
      unit: 'ops',
      queries: [{ promql: rateOf('holdfast_sweep_dispatched_total', 'instance'), legend: '{{instance}}' }],
    },
    {
      title: 'Lag of the loops',
      description: 'How long ago a background loop last ended a round.',
      unit: 's',
      queries: [
        { promql: 'max by (instance, loop) (holdfast_sweep_lag_seconds)', legend: '{{loop}} {{instance}}' },
      ],
    },
    {
      title: 'Repairs',
      description: 'Tasks that the reconciler put right a second. A lost message is one of them.',
      unit: 'ops',
      queries: [{ promql: rateOf('holdfast_reconcile_repaired_total', 'cause'), legend: '{{cause}}' }],
    },
    {
      title: 'Size',
      description: 'The file of an embedded store, and its log.',
      unit: 'bytes',
      queries: [
        { promql: 'holdfast_store_size_bytes', legend: 'file {{instance}}' },
        { promql: 'holdfast_store_wal_size_bytes', legend: 'log {{instance}}' },
      ],
    },
  ],
};
