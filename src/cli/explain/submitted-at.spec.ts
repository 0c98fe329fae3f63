import { describe, expect, it } from 'vitest';
import { submittedAt } from './submitted-at.ts';

const berlin = { nowMs: Date.parse('2026-07-01T12:00:00Z'), zone: 'Europe/Berlin' };

function range(text: string, date?: string, at = berlin) {
  const { fromMs, untilMs, zone } = submittedAt(text, date, at);
  return [new Date(fromMs).toISOString(), new Date(untilMs).toISOString(), zone];
}

describe('the time of a submission that a user knows', () => {
  it.each([
    ['10:03:45', undefined, '2026-07-01T08:03:44.000Z', '2026-07-01T08:03:47.000Z', 'Europe/Berlin'],
    ['10:03', undefined, '2026-07-01T08:02:59.000Z', '2026-07-01T08:04:01.000Z', 'Europe/Berlin'],
    ['10:03:45.5', undefined, '2026-07-01T08:03:44.500Z', '2026-07-01T08:03:46.501Z', 'Europe/Berlin'],
    ['10:03:45', '2026-01-15', '2026-01-15T09:03:44.000Z', '2026-01-15T09:03:47.000Z', 'Europe/Berlin'],
    ['10:03:45Z', undefined, '2026-07-01T10:03:44.000Z', '2026-07-01T10:03:47.000Z', undefined],
    ['10:03:45-07:00', '2026-06-30', '2026-06-30T17:03:44.000Z', '2026-06-30T17:03:47.000Z', undefined],
    ['2026-06-30T10:03:45Z', undefined, '2026-06-30T10:03:44.000Z', '2026-06-30T10:03:47.000Z', undefined],
    [
      '2026-06-30 10:03:45',
      undefined,
      '2026-06-30T08:03:44.000Z',
      '2026-06-30T08:03:47.000Z',
      'Europe/Berlin',
    ],
  ])('%s of %s is %s to %s', (text, date, from, until, zone) => {
    expect(range(text, date)).toEqual([from, until, zone]);
  });

  it('is of the day before if it has not come yet today', () => {
    expect(range('23:30:00')[0]).toBe('2026-06-30T21:29:59.000Z');
    expect(range('11:00:00-07:00')[0]).toBe('2026-06-30T17:59:59.000Z');
    expect(range('13:59:59')[0]).toBe('2026-07-01T11:59:58.000Z');
  });

  it('is refused if the clocks of the zone showed it twice, with both times to choose from', () => {
    const twice = () => range('02:30:00', '2026-10-25');
    expect(twice).toThrow("02:30:00 came twice on that day in this machine's zone, Europe/Berlin");
    try {
      twice();
    } catch (thrown) {
      expect((thrown as { help: string }).help).toContain('2026-10-25T00:30:00.000Z');
      expect((thrown as { help: string }).help).toContain('2026-10-25T01:30:00.000Z');
    }
    expect(range('03:00:00', '2026-10-25')[0]).toBe('2026-10-25T01:59:59.000Z');
  });

  it('is refused if the clocks of the zone never showed it', () => {
    expect(() => range('02:30:00', '2026-03-29')).toThrow('There was no 02:30:00 on that day');
    expect(range('03:30:00', '2026-03-29')[0]).toBe('2026-03-29T01:29:59.000Z');
  });

  it.each([
    ['ten', undefined],
    ['25:00:00', undefined],
    ['10:61', undefined],
    ['10', undefined],
    ['', undefined],
    ['10:03:45', '2026-02-30'],
    ['10:03:45', 'yesterday'],
    ['2026-06-30T10:03:45Z', '2026-06-30'],
    ['10:03:45+25:00', undefined],
    ['10:03:45+02:60', undefined],
    ['10:03:45Z', '1969-12-31'],
    ['02:30:00', '0001-03-29'],
  ])('is refused as %s of %s', (text, date) => {
    expect(() => range(text, date)).toThrow(expect.objectContaining({ reason: 'BAD_FIELD' }));
  });
});
