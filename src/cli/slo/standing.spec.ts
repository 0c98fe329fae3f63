import { expect, it } from 'vitest';
import type { Sample } from './prometheus.ts';
import { standingsOf } from './standing.ts';

function recorded(slo: string, record: string, value: number): Sample {
  return { labels: { __name__: record, sloth_slo: slo, sloth_service: 'holdfast' }, value };
}

const errors = (slo: string, ratios: Readonly<Record<string, number>>): Sample[] =>
  Object.entries(ratios).map(([window, ratio]) => recorded(slo, `slo:sli_error:ratio_rate${window}`, ratio));

it('an objective says how much of its budget is used, what is left and how fast it burns', () => {
  const [standing] = standingsOf([
    recorded('api-availability', 'slo:objective:ratio', 0.999),
    ...errors('api-availability', { '5m': 0, '1h': 0.002, '30d': 0.00025 }),
  ]);
  expect(standing).toMatchObject({ name: 'api-availability', target: 0.999, alerts: [] });
  expect(standing?.used).toBeCloseTo(0.25, 9);
  expect(standing?.left).toBeCloseTo(0.75, 9);
  expect(standing?.burn['1h']).toBeCloseTo(2, 9);
  expect(Object.keys(standing?.burn ?? {})).toEqual(['5m', '1h']);
});

it('an objective names an alert only if both windows of one of its conditions burn', () => {
  const alertsOf = (ratios: Readonly<Record<string, number>>) =>
    standingsOf(errors('api-availability', ratios))[0]?.alerts;
  expect(alertsOf({ '1h': 0.02, '5m': 0 })).toEqual([]);
  expect(alertsOf({ '1h': 0, '5m': 0.02 })).toEqual([]);
  expect(alertsOf({ '1h': 0.02, '5m': 0.02 })).toEqual(['FastBudgetBurn']);
  expect(alertsOf({ '6h': 0.007, '30m': 0.007 })).toEqual(['FastBudgetBurn']);
  expect(alertsOf({ '3d': 0.002, '6h': 0.002 })).toEqual(['SlowBudgetBurn']);
});

it('objectives come in the order of the definition, and ones that only the rules know come last', () => {
  const samples = ['mail', 'completion', 'api-availability'].flatMap((slo) => errors(slo, { '5m': 0 }));
  expect(standingsOf(samples).map(({ name }) => name)).toEqual(['api-availability', 'completion', 'mail']);
});

it('the worst of several recorded values counts', () => {
  const twice = [...errors('completion', { '30d': 0.0001 }), ...errors('completion', { '30d': 0.002 })];
  expect(standingsOf(twice)[0]?.used).toBeCloseTo(2, 9);
});
