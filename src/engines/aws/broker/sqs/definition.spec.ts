import { expect, test } from 'vitest';
import { limits, timing } from '../../../../core/limits.ts';
import { priorities } from '../../../../core/priority.ts';
import { sqsQueuesOf, visibilitySeconds } from './definition.ts';

const accepted = /^[A-Za-z0-9_-]{1,75}\.fifo$/;

function namesOf(prefix: string, tenant: string, queue: string): string[] {
  return sqsQueuesOf(prefix, { tenant, queue }, priorities).flatMap(({ name, deadName }) => [name, deadName]);
}

test('by default a Holdfast queue has one SQS queue, for the priority normal', () => {
  const queues = sqsQueuesOf('holdfast', { tenant: 'acme', queue: 'mail' });
  expect(queues.map((queue) => queue.priority)).toEqual(['normal']);
  expect(queues[0]?.name).toMatch(/^holdfast-acme-mail-[0-9a-f]{10}-normal\.fifo$/);
  expect(queues[0]?.deadName).toMatch(/^holdfast-acme-mail-[0-9a-f]{10}-normal-dead\.fifo$/);
});

test('SQS accepts the generated queue names, also for the longest tenants, and no two Holdfast queues share a name', () => {
  const long = 'x'.repeat(limits.nameChars - 1);
  const names = [
    ...namesOf('holdfast', 'a-b', 'c'),
    ...namesOf('holdfast', 'a', 'b-c'),
    ...namesOf('holdfast', 'a', 'b.c'),
    ...namesOf('holdfast', 'a', 'b_c'),
    ...namesOf('staging', 'a', 'b_c'),
    ...namesOf(`${long}1`, `${long}1`, `${long}1`),
    ...namesOf(`${long}2`, `${long}1`, `${long}1`),
    ...namesOf(`${long}1`, `${long}2`, `${long}1`),
    ...namesOf(`${long}1`, `${long}1`, `${long}2`),
  ];
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(accepted);
});

test('the visibility timeout of a received message is the length of a lease plus the guard for differing clocks', () => {
  expect(visibilitySeconds * 1_000).toBe(timing.leaseMs + timing.clockGuardMs);
});
