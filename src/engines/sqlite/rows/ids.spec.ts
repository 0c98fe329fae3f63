import { describe, expect, it } from 'vitest';
import { idOf, placeOf } from './ids.ts';

describe('an id', () => {
  it('names the acceptance by its place and its time', () => {
    for (const [seq, acceptedAtMs] of [
      [1, 1],
      [35, 36],
      [1_000_000, Date.UTC(2026, 0, 1)],
      [2 ** 50, 8.64e15],
    ] as const) {
      expect(placeOf(idOf(seq, acceptedAtMs))).toEqual({ seq, acceptedAtMs });
    }
  });

  it.each([
    '',
    '-',
    '1',
    '1-',
    '-1',
    '01-1',
    '1-01',
    '1-1-1',
    '1-1 ',
    'A-1',
    '1-é',
    'zzzzzzzzzzz-1',
    '0-1',
    '<slot>~1',
  ])('that was not minted here, such as "%s", names nothing', (id) => {
    expect(placeOf(id)).toBeUndefined();
  });
});
