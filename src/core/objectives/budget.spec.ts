import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  budgetMs,
  budgetUsedBy,
  downtimeOf,
  outageUntilAlertMs,
  percentText,
  shareNumber,
} from './budget.ts';
import { burnAlerts, objectiveOf, objectives, periodMs, slotMs, windowsMs } from './objectives.ts';

const availability = objectiveOf('api-availability');

describe('an error budget', () => {
  it('of 99.9 % within 30 days is 43.2 minutes', () => {
    expect(budgetMs(availability)).toBe(43.2 * 60_000);
    expect(budgetMs(objectiveOf('start-latency'))).toBe(7.2 * 3_600_000);
  });

  it('loses 4.63 % by two minutes of downtime, which are 12 of 259,200 slots', () => {
    const down = downtimeOf(availability, 120_000);
    expect(down).toMatchObject({ badSlots: { least: 12, most: 12 }, slots: 259_200, budgetMs: 2_592_000 });
    expect(percentText(down.used)).toBe('4.63');
    expect(shareNumber(down.used)).toBeCloseTo(120 / 2_592, 15);
  });

  it('loses as much by time as by slots, whatever whole number of slots is bad', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: periodMs / slotMs }), (bad) => {
        const { used, badSlots, slots } = downtimeOf(availability, bad * slotMs);
        expect(badSlots).toEqual({ least: bad, most: bad });
        // The budget is one slot of a thousand.
        expect(used.numerator * BigInt(slots)).toBe(used.denominator * BigInt(bad) * 1_000n);
      }),
    );
  });

  it('may lose one slot more or less by an outage that is no whole number of slots', () => {
    expect(downtimeOf(availability, 25_000).badSlots).toEqual({ least: 2, most: 3 });
    expect(downtimeOf(availability, 1).badSlots).toEqual({ least: 0, most: 1 });
  });

  it('is used up several times over by a long outage', () => {
    expect(percentText(downtimeOf(availability, periodMs).used)).toBe('100000.00');
  });
});

it('a share is rounded half up to two decimals', () => {
  expect(percentText({ numerator: 5n, denominator: 100_000n })).toBe('0.01');
  expect(percentText({ numerator: 4n, denominator: 100_000n })).toBe('0.00');
  expect(percentText({ numerator: 1n, denominator: 3n })).toBe('33.33');
});

it('the alerts fire after 2, 5, 10 and 10 % of the budget', () => {
  const used = burnAlerts.flatMap(({ windows }) => windows.map(budgetUsedBy));
  expect(used).toEqual([0.02, 0.05, 0.1, 0.1]);
});

it('the first alert of the API fires after 51.84 s without it', () => {
  const [first] = burnAlerts.flatMap(({ windows }) => windows);
  if (first === undefined) throw new Error('there is no alert');
  expect(outageUntilAlertMs(availability, first)).toBeCloseTo(51_840, 6);
});

it('the objectives have names of their own and leave a budget', () => {
  expect(new Set(objectives.map(({ name }) => name)).size).toBe(objectives.length);
  for (const objective of objectives) expect(budgetMs(objective)).toBeGreaterThan(0);
  expect(windowsMs).toEqual(
    [5, 30, 60, 120, 360, 1_440, 360, 4_320].map((m) => m * 60_000).sort((a, b) => a - b),
  );
});
