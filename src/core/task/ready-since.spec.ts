import { expect, it } from 'vitest';
import type { TaskEvent } from './event.ts';
import { readyBeforeClaimMs, readySinceMs } from './ready-since.ts';

const options = { runAtMs: undefined } as never;
const submission = { acceptedAtMs: 1_000, options };
const scheduled = { acceptedAtMs: 1_000, options: { runAtMs: 5_000 } as never };
const event = (fields: object): TaskEvent => ({ atMs: 20_000, ...fields }) as TaskEvent;
const claimed = event({ kind: 'claimed', fencingToken: 2, atMs: 30_000 });

it('a task without events has been ready since its acceptance, or since its scheduled start', () => {
  expect(readySinceMs({ submission, tip: [] })).toBe(1_000);
  expect(readySinceMs({ submission: scheduled, tip: [] })).toBe(5_000);
});

it.each([
  ['a failure', { kind: 'failed', retryAtMs: 25_000 }, 25_000],
  ['a snooze', { kind: 'snoozed', runAtMs: 26_000 }, 26_000],
  ['a release', { kind: 'claimReleased' }, 20_000],
  ['an expired lease with a delay', { kind: 'leaseExpired', retryAtMs: 27_000 }, 27_000],
  ['a redrive', { kind: 'redriven' }, 20_000],
])(
  'after %s a task is ready at the time of its next attempt, before and after its claim',
  (_, last, sinceMs) => {
    const tip = [event(last)];
    expect(readySinceMs({ submission, tip })).toBe(sinceMs);
    expect(readyBeforeClaimMs({ submission, tip: [...tip, claimed] }, 4)).toBe(sinceMs);
  },
);

it('after its first claim a task had been ready since its acceptance', () => {
  expect(readyBeforeClaimMs({ submission, tip: [claimed] }, 2)).toBe(1_000);
});

it('it is unknown since when a claimed task was ready if the event before the claim is not at hand', () => {
  expect(readyBeforeClaimMs({ submission, tip: [claimed] }, 9)).toBeUndefined();
});
