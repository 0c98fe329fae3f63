import { describe, expect, it } from 'vitest';
import { compare, jsonOf, textOf } from './compare.ts';
import type { Row } from './report.ts';

const run = (value: number, unit: string, row = 'submit'): Row[] => [
  { row, keys: '', unit, value, prototype: null },
];

describe('a comparison of two commits', () => {
  it('counts a lower rate and a longer time as slower', () => {
    const rate = compare([run(50, '/s')], [run(100, '/s')]);
    expect(rate).toMatchObject([{ slower: 1, isSlower: true }]);
    const time = compare([run(2, 's')], [run(1, 's')]);
    expect(time).toMatchObject([{ slower: 1, isSlower: true }]);
  });

  it('counts a higher rate and a shorter time as faster', () => {
    expect(compare([run(100, '/s')], [run(50, '/s')])).toMatchObject([{ slower: -0.5, isSlower: false }]);
    expect(compare([run(1, 's')], [run(2, 's')])).toMatchObject([{ slower: -0.5, isSlower: false }]);
  });

  it('compares medians, and counts a row as slower only if it is slower by more than its spread plus 3 %', () => {
    const here = [run(95, '/s'), run(90, '/s'), run(1, '/s')];
    const there = [run(100, '/s'), run(100, '/s'), run(100, '/s')];
    expect(compare(here, there)).toMatchObject([{ here: 90, there: 100, isSlower: false }]);
    const steady = [run(90, '/s'), run(90, '/s'), run(90, '/s')];
    expect(compare(steady, there)).toMatchObject([{ spread: 0, isSlower: true }]);
  });

  it('leaves out a row that the other commit does not have', () => {
    expect(compare([[...run(1, 's'), ...run(1, 's', 'new')]], [run(1, 's')])).toHaveLength(1);
  });

  it('compares an indented row with the indented row below the same row in the other commit’s table', () => {
    const withCpu = (submitUs: number, processUs: number): Row[] => [
      ...run(1, '/s', 'submit'),
      ...run(submitUs, 'µs', '  CPU'),
      ...run(1, '/s', 'process'),
      ...run(processUs, 'µs', '  CPU'),
    ];
    const [, submit, , process] = compare([withCpu(10, 40)], [withCpu(20, 20)]);
    expect([submit?.slower, process?.slower]).toEqual([-0.5, 1]);
  });

  it('marks in its table the rows that are slower', () => {
    expect(textOf(compare([run(50, '/s')], [run(100, '/s')]))).toMatch(/submit .*\+100\.0 % .*SLOWER$/m);
  });

  it('gives each row a ratio above 1 if this tree is better, and the targets of the rows and their costs', () => {
    const rows = (rate: number, cpuUs: number): Row[] => [
      { row: 'process a filled queue', keys: '', unit: '/s', value: rate, prototype: null },
      { row: '  server CPU a task', keys: '', unit: 'µs', value: cpuUs, prototype: null },
      { row: 'memory with 1000000 waiting', keys: '', unit: 'MB', value: 250, prototype: null },
    ];
    const printed = JSON.parse(jsonOf(compare([rows(60, 10)], [rows(40, 15)])));
    expect(printed.rows).toEqual([
      { row: 'process a filled queue', keys: '', unit: '/s', value: 60, base: 40, ratio: 1.5, target: 1.4 },
      { row: '  server CPU a task', keys: '', unit: 'µs', value: 10, base: 15, ratio: 1.5, target: 1.538 },
      {
        row: 'memory with 1000000 waiting',
        keys: '',
        unit: 'MB',
        value: 250,
        base: 250,
        ratio: 1,
        target: 0.893,
      },
    ]);
  });
});
