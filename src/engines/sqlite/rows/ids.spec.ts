import { describe, expect, it } from 'vitest';
import { addressOf, idOf } from './ids.ts';

describe('a task id', () => {
  it('contains the row number and the time of acceptance', () => {
    for (const [seq, acceptedAtMs] of [
      [1, 1],
      [35, 36],
      [1_000_000, Date.UTC(2026, 0, 1)],
      [2 ** 50, 8.64e15],
    ] as const) {
      expect(addressOf(idOf(seq, acceptedAtMs))).toEqual({ seq, acceptedAtMs });
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
  ])('that this engine did not make, such as "%s", is not parsed', (id) => {
    expect(addressOf(id)).toBeUndefined();
  });
});
