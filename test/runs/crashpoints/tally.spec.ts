import { describe, expect, it } from 'vitest';
import { reasons, sum, type Tally } from './tally.ts';

const all: Tally = { points: 482, recovered: 482, untried: 0, unrecorded: 0 };
const defaults = { only: '', limitS: 900 };
const reasonsFor = (tally: Partial<Tally>, more: Partial<typeof defaults> = {}): string[] =>
  reasons({ ...all, ...tally }, { ...defaults, ...more });

describe('the result of a crash point run', () => {
  it('has no reason for a failure if all crash points were recovered', () => {
    expect(reasonsFor({})).toEqual([]);
  });

  it('counts crash points that were not tried in time separately from crash points that were not recovered', () => {
    expect(reasonsFor({ recovered: 421, untried: 61 })).toEqual([
      '61 not tried: the time was over after 900 s (-- --limit-s N)',
    ]);
    expect(reasonsFor({ recovered: 420, untried: 61 }, { limitS: 60 })).toEqual([
      '61 not tried: the time was over after 60 s (-- --limit-s N)',
      '1 NOT RECOVERED',
    ]);
  });

  it('is a failure if the time was over before all scenarios were recorded', () => {
    expect(reasonsFor({ points: 370, recovered: 370, unrecorded: 17 })).toEqual([
      '17 scenarios not recorded, their points not counted: the time was over after 900 s (-- --limit-s N)',
    ]);
    expect(reasonsFor({ points: 0, recovered: 0, unrecorded: 34 })).toHaveLength(1);
  });

  it('is a failure with fewer than 40 crash points, unless --only named some scenarios', () => {
    expect(reasonsFor({ points: 8, recovered: 8 })).toEqual(['fewer than 40 points']);
    expect(reasonsFor({ points: 8, recovered: 8 }, { only: 'settle' })).toEqual([]);
    expect(reasonsFor({ points: 0, recovered: 0 }, { only: 'setle' })).toEqual([
      "no scenario's name has 'setle'",
    ]);
  });

  it('is the sum of the results of its passes', () => {
    const first: Tally = { points: 4, recovered: 3, untried: 1, unrecorded: 0 };
    const second: Tally = { points: 2, recovered: 2, untried: 0, unrecorded: 5 };
    expect(sum(first, second)).toEqual({ points: 6, recovered: 5, untried: 1, unrecorded: 5 });
  });
});
