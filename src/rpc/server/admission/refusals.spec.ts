import { expect, it } from 'vitest';
import { type VirtualClock, virtualClock } from '../../../testing/virtual-clock.ts';
import { Refusals } from './refusals.ts';

interface Sent {
  sent: number;
  disconnected: number;
}

function refusing(clock: VirtualClock): {
  refusals: Refusals;
  counts: Sent;
  refuse: (on: object, by: string, times: number) => void;
} {
  const refusals = new Refusals(clock);
  const counts = { sent: 0, disconnected: 0 };
  const refuse = (on: object, by: string, times: number): void => {
    for (let i = 0; i < times; i++)
      refusals.add(on, by, { send: () => void counts.sent++, disconnect: () => void counts.disconnected++ });
  };
  return { refusals, counts, refuse };
}

it('a client that is refused now and then gets each refusal at once', async () => {
  const clock = virtualClock();
  const { counts, refuse } = refusing(clock);
  for (let second = 0; second < 3; second++) {
    refuse({}, 'a', 10);
    expect(counts.sent).toBe(10 * (second + 1));
    await clock.advance(1_000);
  }
});

it('a connection that repeats refused calls without a pause gets further refusals at the end of the second', async () => {
  const clock = virtualClock();
  const { counts, refuse } = refusing(clock);
  const connection = {};
  refuse(connection, 'a', 200);
  expect(counts.sent).toBe(64);
  refuse({}, 'b', 1);
  expect(counts.sent).toBe(65);
  await clock.advance(1_000);
  expect(counts.sent).toBe(201);
});

it('a client with a thousand delayed refusals on many connections loses the connection of a further one', async () => {
  const clock = virtualClock();
  const { counts, refuse } = refusing(clock);
  for (let i = 0; i < 10; i++) refuse({}, 'a', 200);
  expect(counts).toEqual({ sent: 640, disconnected: 1_360 - 1_024 });
  refuse({}, 'b', 100);
  expect(counts.sent).toBe(704);
  await clock.advance(1_000);
  expect(counts).toEqual({ sent: 2_100 - 336, disconnected: 336 });
});
