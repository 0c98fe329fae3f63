import { expect, it } from 'vitest';
import { objectiveGroups, operationalGroups, standardOptions } from '../../../scripts/rules/files.ts';
import { alertCases, firesWithoutSeries } from './cases.ts';

const groups = [...objectiveGroups(standardOptions), ...operationalGroups(standardOptions)];
const alerts = new Set(groups.flatMap(({ rules }) => rules.flatMap(({ alert }) => alert ?? [])));

it('every alert has a case in which it does not fire, then fires, then resolves', () => {
  const whole = alertCases
    .filter(({ fires }) => {
      const order = fires.map(([, isFiring]) => (isFiring ? '1' : '0')).join('');
      return /^0+1+0+$/.test(order);
    })
    .map(({ alert }) => alert);
  expect(new Set(whole)).toEqual(alerts);
});

it('no series at all fires alerts of the API, of the servers and of the canary', () => {
  const silent = alertCases.filter(({ counters, gauges }) => counters === undefined && gauges === undefined);
  expect(silent.map(({ alert, fires }) => [alert, fires[0]?.[1]])).toEqual(
    firesWithoutSeries.map((alert) => [alert, true]),
  );
  expect(firesWithoutSeries).toEqual(expect.arrayContaining(['FastBudgetBurn', 'NoSeries', 'CanaryMissing']));
});
