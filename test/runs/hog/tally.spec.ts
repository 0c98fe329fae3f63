import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Tally } from './tally.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('a connection, stream or call counts as held once the server has held it for 1.5 s, and one that it refuses sooner does not', () => {
  const tally = new Tally();
  const [first, second, refused] = [tally.hold(), tally.hold(), tally.hold()];
  vi.advanceTimersByTime(900);
  refused();
  vi.advanceTimersByTime(600);
  expect(tally.reached).toEqual({ sent: 3, answered: 0, held: 2 });
  first();
  first();
  tally.hold();
  vi.advanceTimersByTime(1_500);
  expect(tally.reached.held).toBe(2);
  second();
  tally.hold();
  tally.hold();
  vi.advanceTimersByTime(1_500);
  expect(tally.reached).toEqual({ sent: 6, answered: 0, held: 3 });
});

it('calls that the server answered with an error count as sent alone', () => {
  const tally = new Tally();
  tally.sent(10);
  tally.answered(4);
  expect(tally.reached).toEqual({ sent: 10, answered: 4, held: 0 });
});
