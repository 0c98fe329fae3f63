import { expect, test } from 'vitest';
import { silentLog } from '../../../ports/log.ts';
import { virtualClock } from '../../../testing/virtual-clock.ts';
import { Admission } from './admission.ts';
import { Dependency } from './dependency.ts';

function site() {
  const clock = virtualClock();
  const table = new Dependency('table', clock, silentLog);
  const queues = new Dependency('queues', clock, silentLog);
  const admission = new Admission(clock, silentLog, [table, queues]);
  return { clock, table, queues, outageEndMs: () => admission.lastOutageEndMs() };
}

test('a table that does not answer for more than 3 s is out until its next answer', async () => {
  const { clock, table, outageEndMs } = site();
  table.record('answer', 'Query', { first: true });
  table.record('failure', 'Query', { first: true });
  await clock.advance(3_000);
  expect(outageEndMs()).toBeUndefined();
  await clock.advance(1_000);
  expect(outageEndMs()).toBe(4_000);
  await clock.advance(20_000);
  table.record('answer', 'Query', { first: false });
  await clock.advance(5_000);
  expect(outageEndMs()).toBe(24_000);
});

test('a single failed request between answers is no outage of the table', async () => {
  const { clock, table, outageEndMs } = site();
  for (let i = 0; i < 20; i++) {
    table.record(i % 4 === 0 ? 'failure' : 'answer', 'Query', { first: true });
    await clock.advance(500);
  }
  expect(outageEndMs()).toBeUndefined();
});

test('a table whose breaker is not closed for more than 3 s is out, although it answers some requests', async () => {
  const { clock, table, outageEndMs } = site();
  for (let i = 0; i < 5; i++) table.record('throttle', 'Query', { first: true });
  for (let i = 0; i < 8; i++) {
    await clock.advance(500);
    table.record('answer', 'UpdateItem', { first: false });
  }
  expect(outageEndMs()).toBe(4_000);
});

test('an outage of SQS is no outage of the table, which has the leases', async () => {
  const { clock, queues, outageEndMs } = site();
  for (let i = 0; i < 8; i++) queues.record('failure', 'SendMessage', { first: true });
  await clock.advance(10_000);
  expect(outageEndMs()).toBeUndefined();
});
