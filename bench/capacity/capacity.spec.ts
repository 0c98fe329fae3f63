import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limits } from '../../src/core/limits.ts';
import { type PricedRegion, pricedRegions } from '../cost/list-prices.ts';
import { usd } from '../cost/prices.ts';
import { capacityOf } from './capacity.ts';
import { cost, processor, unitsOfRow } from './measured.ts';
import { unitsOf } from './sizes.ts';
import { defaultWorkload, type Workload } from './workload.ts';

const rate = fc.integer({ min: 1, max: 1_000_000 });
const workload: fc.Arbitrary<Workload> = fc.record({
  rate,
  payloadBytes: fc.integer({ min: 0, max: limits.payloadBytes }),
  ordered: fc.boolean(),
  region: fc.constantFrom<PricedRegion>(...pricedRegions),
  workMs: fc.integer({ min: 0, max: 600_000 }),
  slots: fc.integer({ min: 1, max: 1_000 }),
  queues: fc.integer({ min: 1, max: 100 }),
  zones: fc.integer({ min: 2, max: 6 }),
});

/** Asserts that no part of the cost and no size is lower for the second workload. */
function expectNotLess(less: Workload, more: Workload): void {
  const [a, b] = [capacityOf(less), capacityOf(more)];
  expect(b.usdPerMonth).toBeGreaterThanOrEqual(a.usdPerMonth);
  for (const name of ['servers', 'workers', 'tablePartitions', 'storedGb', 'vcpus', 'dueShards'] as const)
    expect(b.sizes[name], name).toBeGreaterThanOrEqual(a.sizes[name]);
}

describe('the capacity of a workload', () => {
  it('grows with the rate, and costs more', () => {
    fc.assert(
      fc.property(workload, rate, (one, more) => {
        expectNotLess(one, { ...one, rate: one.rate + more });
        const [a, b] = [capacityOf(one), capacityOf({ ...one, rate: one.rate + more })];
        expect(b.usdPerMonth).toBeGreaterThan(a.usdPerMonth);
      }),
    );
  });

  it('grows with the payload, with the time of work and with order', () => {
    fc.assert(
      fc.property(workload, fc.nat(100_000), (one, more) => {
        const payloadBytes = Math.min(limits.payloadBytes, one.payloadBytes + more);
        expectNotLess(one, { ...one, payloadBytes });
        expectNotLess(one, { ...one, workMs: one.workMs + more });
        expectNotLess({ ...one, ordered: false }, { ...one, ordered: true });
      }),
    );
  });

  it('is the sum of its parts, each of which is a number that is not negative', () => {
    fc.assert(
      fc.property(workload, (one) => {
        const { costs, usdPerMonth } = capacityOf(one);
        for (const { name, usdPerMonth: part } of costs) expect(part, name).toBeGreaterThanOrEqual(0);
        const sum = costs.reduce((all, { usdPerMonth: part }) => all + part, 0);
        expect(usdPerMonth).toBeCloseTo(sum, 1);
      }),
    );
  });

  it('meets its limits in their order: the rate of a limit is allowed, and one more exceeds it and no lower one is met', () => {
    fc.assert(
      fc.property(workload, (one) => {
        const { bounds, firstLimit } = capacityOf(one);
        expect(bounds.map(({ tasksPerSecond }) => tasksPerSecond)).toEqual(
          bounds.map(({ tasksPerSecond }) => tasksPerSecond).sort((a, b) => a - b),
        );
        expect(firstLimit).toEqual(bounds[0]);
        for (const { name, tasksPerSecond } of bounds.filter((bound) => bound.tasksPerSecond > 0)) {
          const isExceeded = (at: number): boolean | undefined =>
            capacityOf({ ...one, rate: at }).bounds.find((bound) => bound.name === name)?.isExceeded;
          expect([isExceeded(tasksPerSecond), isExceeded(tasksPerSecond + 1)], name).toEqual([false, true]);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('has the write units that were measured for a payload of 200 B and for one of 1 KB', () => {
    for (const [payloadBytes, row] of [
      [200, 'submit→done, 200 B'],
      [1_024, 'submit→done, 1 KB random'],
    ] as const)
      expect(unitsOf({ ...defaultWorkload, rate: 1, payloadBytes }).writes, row).toBe(unitsOfRow(row).writes);
    const minute = unitsOf({ ...defaultWorkload, rate: 1, workMs: 60_000 });
    expect(minute.writes).toBe(unitsOfRow('submit→done, 1 KB, a minute of work: five heartbeats').writes);
  });

  it('costs a task at least what was measured for it, and at 100,000 a second little more than that and its processors', () => {
    const measured = usd(unitsOfRow('submit→done, 1 KB random')) * 1e6;
    const small = capacityOf({ ...defaultWorkload, rate: 1 });
    const large = capacityOf({ ...defaultWorkload, rate: 100_000 });
    expect(large.usdPerMillionTasks).toBeGreaterThan(measured);
    expect(large.usdPerMillionTasks).toBeLessThan(measured * 1.5);
    expect(small.usdPerMillionTasks).toBeGreaterThan(large.usdPerMillionTasks);
  });

  it('computes from figures that were measured', () => {
    expect(processor.serverCpuMsPerTask).toBeGreaterThan(processor.workerCpuMsPerTask);
    expect(cost.storage[1].submissionBytes).toBeGreaterThan(cost.storage[1].payloadBytes);
  });
});

describe('npm run capacity', () => {
  const run = (...argv: string[]) => {
    const main = new URL('./main.ts', import.meta.url).pathname;
    return spawnSync(process.execPath, [main, ...argv], { encoding: 'utf8' });
  };

  it('prints the cost and the first limit, as text and as one object', () => {
    const text = run('--rate', '500');
    expect(text.status).toBe(0);
    expect(text.stdout).toMatch(/capacity: usdPerMonth=[\d.]+ firstLimit="6 processors of Fargate/);
    const json = JSON.parse(run('--rate', '100000', '--json').stdout);
    expect(json).toMatchObject({ usdPerMonth: expect.any(Number), firstLimit: { isExceeded: true } });
    expect(json.firstLimit.lift).not.toBe('');
  });

  it('refuses a load that makes no sense with a sentence, and status 2', () => {
    const cases: [sentence: string, ...argv: string[]][] = [
      ['--rate must be a whole number from 1'],
      ['--rate must be a whole number from 1', '--rate', '0'],
      [
        '--payload-bytes must be a whole number from 0 to 262,144',
        '--rate',
        '1',
        '--payload-bytes',
        '262145',
      ],
      ["no prices of the region 'mars-1', but of us-east-1", '--rate', '1', '--region', 'mars-1'],
      ['--zones must be', '--rate', '1', '--zones', '1'],
      ['--slots must be', '--rate', '1', '--slots', '0'],
      ['usage: npm run capacity', '--rat', '1'],
    ];
    for (const [sentence, ...argv] of cases) {
      const { status, stderr } = run(...argv);
      expect([status, stderr], argv.join(' ')).toEqual([2, expect.stringContaining(sentence)]);
    }
  });
});
