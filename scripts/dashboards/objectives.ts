import { type Dashboard, rateOf } from './definition.ts';

const ours = '{sloth_service="holdfast"}';

export const objectives: Dashboard = {
  name: 'Objectives',
  description:
    'The objectives of 30 days, by the series of sloth: docs/objectives.md says how they are measured.',
  panels: [
    {
      title: 'Budget left',
      description: 'The part of the error budget of 30 days that is left.',
      kind: 'numbers',
      unit: 'percentunit',
      queries: [{ promql: `slo:period_error_budget_remaining:ratio${ours}`, legend: '{{sloth_slo}}' }],
    },
    {
      title: 'Burn rate of 30 days',
      description: 'Above 1 the budget does not last for 30 days.',
      kind: 'numbers',
      queries: [{ promql: `slo:period_burn_rate:ratio${ours}`, legend: '{{sloth_slo}}' }],
    },
    {
      title: 'Burn rate',
      description: 'How many times as fast as it may the budget burns now. 14.4 pages.',
      queries: [{ promql: `slo:current_burn_rate:ratio${ours}`, legend: '{{sloth_slo}}' }],
    },
    {
      title: 'Errors',
      description: 'The share of bad events of an hour, and the share that the objective allows.',
      unit: 'percentunit',
      queries: [
        { promql: `slo:sli_error:ratio_rate1h${ours}`, legend: '{{sloth_slo}}' },
        { promql: `slo:error_budget:ratio${ours}`, legend: 'allowed {{sloth_slo}}' },
      ],
    },
    {
      title: 'Budget left over the time',
      unit: 'percentunit',
      isWide: true,
      queries: [{ promql: `slo:period_error_budget_remaining:ratio${ours}`, legend: '{{sloth_slo}}' }],
    },
    {
      title: 'Alerts of the objectives',
      description: '1 while an alert is pending or firing.',
      queries: [
        {
          promql:
            'max by (alertname, sloth_slo, alertstate) (ALERTS{alertname=~"FastBudgetBurn|SlowBudgetBurn"})',
          legend: '{{alertname}} {{sloth_slo}} {{alertstate}}',
        },
      ],
    },
    {
      title: 'Canary',
      description: 'Slots of the canary a second, by their results. All but `good` are bad.',
      queries: [{ promql: rateOf('holdfast_canary_slots_total', 'result'), legend: '{{result}}' }],
    },
  ],
};
