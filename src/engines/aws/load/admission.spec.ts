import { expect, test } from 'vitest';
import type { HoldfastError } from '../../../core/errors.ts';
import { type Log, silentLog } from '../../../ports/log.ts';
import { virtualClock } from '../../../testing/virtual-clock.ts';
import { Admission } from './admission.ts';
import { Dependency } from './dependency.ts';

function site() {
  const clock = virtualClock();
  const logged: string[] = [];
  const note = (_fields: object, message: string): void => void logged.push(message);
  const log: Log = { ...silentLog, info: note, warn: note };
  const table = new Dependency('table', clock, silentLog);
  const queues = new Dependency('queues', clock, silentLog);
  const admission = new Admission(clock, log, [table, queues]);
  const trip = (one: Dependency): void => {
    for (let i = 0; i < 5; i++) one.record('throttle', 'PutItem', { first: true });
  };
  const heal = (one: Dependency): void => {
    for (let i = 0; i < 5; i++) one.record('answer', 'PutItem', { first: true });
  };
  const refusal = (count = 1): HoldfastError | undefined => {
    try {
      admission.admit(count)();
      return undefined;
    } catch (thrown) {
      return thrown as HoldfastError;
    }
  };
  return { clock, table, queues, admission, trip, heal, refusal, logged };
}

for (const name of ['table', 'queues'] as const) {
  test(`while the breaker of the ${name} is open, submissions are refused with a retry delay that lasts until it is half open`, async () => {
    const { trip, refusal, clock, ...rest } = site();
    trip(rest[name]);
    await clock.advance(400);
    for (let i = 0; i < 50; i++) {
      const error = refusal();
      expect(error).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'STORE_BUSY' });
      expect(error?.retryAfterMs).toBeGreaterThanOrEqual(600);
      expect(error?.retryAfterMs).toBeLessThanOrEqual(1_600);
    }
    expect(rest.admission.view().submissions).toMatchObject({ admitted: 0, refused: 50, limit: 0 });
  });
}

test('callers whose submissions are refused get different retry delays', () => {
  const { trip, refusal, table } = site();
  trip(table);
  const times = new Set(Array.from({ length: 50 }, () => refusal()?.retryAfterMs));
  expect(times.size).toBeGreaterThan(25);
});

test('while a breaker is half open, one submit call at a time is admitted, however many submissions it contains', async () => {
  const { trip, table, clock, admission, refusal } = site();
  trip(table);
  await clock.advance(1_000);
  const leave = admission.admit(100);
  expect(refusal()?.message).toMatch(/being tried/);
  leave();
  expect(refusal(100)).toBeUndefined();
});

test('while a breaker is half open, a submit call is admitted even if earlier submissions are still in flight', async () => {
  const { trip, table, clock, admission, refusal } = site();
  admission.admit(100);
  trip(table);
  await clock.advance(1_000);
  expect(refusal()).toBeUndefined();
});

test('after the breaker has closed, the limit of submissions in flight doubles each second from 50 up to 2,000', async () => {
  const { trip, heal, table, clock, admission } = site();
  const limit = (): number => admission.view().submissions.limit;
  const before = limit();
  trip(table);
  await clock.advance(1_000);
  heal(table);
  const limits: number[] = [];
  for (let i = 0; i < 8; i++) {
    limits.push(limit());
    await clock.advance(1_000);
  }
  expect(limits).toEqual([50, 100, 200, 400, 800, 1_600, 2_000, 2_000]);
  expect(before).toBe(2_000);
});

test('at most 2,000 submissions are in flight at once, but a single submit call may contain more', () => {
  const { admission, refusal } = site();
  const leave = admission.admit(5_000);
  expect(refusal()).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'STORE_BUSY' });
  expect(refusal()?.retryAfterMs).toBeGreaterThanOrEqual(250);
  leave();
  admission.admit(1_999);
  expect(refusal(1)).toBeUndefined();
  expect(refusal(2)?.message).toMatch(/1999 submissions in flight; at most 2000/);
});

test('the log has one line when submissions begin to be refused and one when they are admitted again', async () => {
  const { trip, heal, table, clock, refusal, logged } = site();
  trip(table);
  for (let i = 0; i < 10; i++) refusal();
  await clock.advance(1_000);
  heal(table);
  await clock.advance(1_000);
  for (let i = 0; i < 10; i++) refusal();
  expect(logged).toEqual(['refusing submissions', 'admitting submissions again']);
});

test('the reported load has the circuit breaker state of the DynamoDB table and of SQS, and counts throttled and failed requests', () => {
  const { trip, table, admission, clock } = site();
  trip(table);
  table.record('failure', 'GetItem', { first: true });
  const open = { title: 'The table', troubledSinceMs: clock.now(), retryAtMs: clock.now() + 1_000 };
  const quiet = { title: 'SQS', troubledSinceMs: undefined, retryAtMs: undefined };
  expect(admission.view().dependencies).toEqual({
    table: { ...open, state: 'open', opened: 1, throttled: 5, failed: 1, inFlight: 0, waiting: 0 },
    queues: { ...quiet, state: 'closed', opened: 0, throttled: 0, failed: 0, inFlight: 0, waiting: 0 },
  });
});

test('the reported load says since when requests have been throttled or failed, until none was for 10 s', async () => {
  const { table, admission, clock } = site();
  const sinceMs = () => admission.view().dependencies.table?.troubledSinceMs;
  expect(sinceMs()).toBeUndefined();
  const firstMs = clock.now();
  table.record('throttle', 'PutItem', { first: true });
  await clock.advance(9_000);
  table.record('failure', 'PutItem', { first: true });
  await clock.advance(10_000);
  expect(sinceMs()).toBe(firstMs);
  await clock.advance(1);
  expect(sinceMs()).toBeUndefined();
  table.record('throttle', 'PutItem', { first: true });
  expect(sinceMs()).toBe(clock.now());
});
