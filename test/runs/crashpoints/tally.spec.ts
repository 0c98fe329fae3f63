import { describe, expect, it } from 'vitest';
import { reasons, sum, type Tally } from './tally.ts';

const all: Tally = { points: 482, recovered: 482, untried: 0, unrecorded: 0 };
const asked = { only: '', limitS: 900 };
const told = (tally: Partial<Tally>, more: Partial<typeof asked> = {}): string[] =>
  reasons({ ...all, ...tally }, { ...asked, ...more });

describe('a run', () => {
  it('that recovered all of its points has no reason to fail', () => {
    expect(told({})).toEqual([]);
  });

  it('whose time was over tells what it did not try apart from what it did not recover', () => {
    expect(told({ recovered: 421, untried: 61 })).toEqual([
      '61 not tried: time is over after 900 s (-- --limit-s N)',
    ]);
    expect(told({ recovered: 420, untried: 61 }, { limitS: 60 })).toEqual([
      '61 not tried: time is over after 60 s (-- --limit-s N)',
      '1 NOT RECOVERED',
    ]);
  });

  it('whose time was over before all was recorded does not pass for one with fewer points', () => {
    expect(told({ points: 370, recovered: 370, unrecorded: 17 })).toEqual([
      '17 scenarios not recorded, their points not counted: time is over after 900 s (-- --limit-s N)',
    ]);
    expect(told({ points: 0, recovered: 0, unrecorded: 34 })).toHaveLength(1);
  });

  it('of hardly any points shows nothing, unless it was to be one of a few', () => {
    expect(told({ points: 8, recovered: 8 })).toEqual(['fewer than 40 points']);
    expect(told({ points: 8, recovered: 8 }, { only: 'settle' })).toEqual([]);
    expect(told({ points: 0, recovered: 0 }, { only: 'setle' })).toEqual(["no scenario's name has 'setle'"]);
  });

  it('is the sum of its passes', () => {
    const first: Tally = { points: 4, recovered: 3, untried: 1, unrecorded: 0 };
    const second: Tally = { points: 2, recovered: 2, untried: 0, unrecorded: 5 };
    expect(sum(first, second)).toEqual({ points: 6, recovered: 5, untried: 1, unrecorded: 5 });
  });
});
