import fc from 'fast-check';
import { expect, test } from 'vitest';
import { limits, timing } from '../../../../core/limits.ts';
import { priorities } from '../../../../core/priority.ts';
import { newNameForm, prefixFault, sqsQueuesOf, visibilitySeconds } from './definition.ts';

const accepted = /^[A-Za-z0-9_-]{1,75}\.fifo$/;

function namesOf(prefix: string, tenant: string, queue: string): string[] {
  return sqsQueuesOf(prefix, { tenant, queue }, priorities).flatMap(({ name, deadName }) => [name, deadName]);
}

test('by default a Holdfast queue has one SQS queue, for the priority normal', () => {
  const queues = sqsQueuesOf('holdfast', { tenant: 'acme', queue: 'mail' });
  expect(queues.map((queue) => queue.priority)).toEqual(['normal']);
  expect(queues[0]?.name).toMatch(/^holdfast__acme-mail-[0-9a-f]{10}-normal\.fifo$/);
  expect(queues[0]?.deadName).toMatch(/^holdfast__acme-mail-[0-9a-f]{10}-normal-dead\.fifo$/);
});

test('SQS accepts the generated queue names, also for the longest tenants, and no two Holdfast queues share a name', () => {
  const long = 'x'.repeat(limits.nameChars - 1);
  const names = [
    ...namesOf('holdfast', 'a-b', 'c'),
    ...namesOf('holdfast', 'a', 'b-c'),
    ...namesOf('holdfast', 'a', 'b.c'),
    ...namesOf('holdfast', 'a', 'b_c'),
    ...namesOf('staging', 'a', 'b_c'),
    ...namesOf('p'.repeat(24), `${long}1`, `${long}1`),
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

test('an installation of version 0.1.0 keeps the names of its SQS queues', () => {
  const names = sqsQueuesOf('jobs', { tenant: 'default', queue: 'mail' }, ['normal'], 1);
  expect(names).toMatchObject([
    {
      name: 'jobs-default-mail-ebe6cd4f28-normal.fifo',
      deadName: 'jobs-default-mail-ebe6cd4f28-normal-dead.fifo',
    },
  ]);
  const [long] = sqsQueuesOf('a.prefix-that-is-too-long', { tenant: 'acme', queue: 'mail' }, ['normal'], 1);
  expect(long?.name).toMatch(/^a_prefix-that-is-acme-mail-/);
});

const part = fc.stringMatching(/^[A-Za-z0-9_-]{1,24}$/);
const prefix = part.filter((one) => prefixFault(one) === undefined);

test('no name of one prefix begins with another prefix and the separator, so that a policy reaches one installation', () => {
  const alike = fc.tuple(prefix, part).map(([one, more]) => [one, `${one}${more}`.slice(0, 24)] as const);
  const pairs = fc.oneof(alike, fc.tuple(prefix, prefix));
  fc.assert(
    fc.property(pairs, fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/), part, ([one, other], tenant, queue) => {
      fc.pre(one !== other && prefixFault(other) === undefined);
      for (const [own, foreign] of [
        [one, other],
        [other, one],
      ] as const) {
        for (const name of namesOf(foreign, tenant, queue)) {
          expect(name).toMatch(accepted);
          expect(name.startsWith(`${own}__`)).toBe(false);
          expect(name.startsWith(`${foreign}__`)).toBe(true);
        }
      }
    }),
    { numRuns: 1_000 },
  );
  expect(newNameForm).toBe(2);
});

test.each([
  ['a.b', 'has characters other than letters, digits, _ and -'],
  ['', 'has characters other than letters, digits, _ and -'],
  ['p'.repeat(25), 'has 25 characters, more than 24'],
  ['jobs__eu', 'contains __'],
  ['jobs_', 'ends in _'],
])('the prefix %j cannot begin the names of new SQS queues', (text, why) => {
  expect(prefixFault(text)).toBe(why);
});

test.each(['jobs', 'jobs-2', 'jobs_2', '-', 'p'.repeat(24)])(
  'the prefix %j can begin the names of new SQS queues',
  (text) => expect(prefixFault(text)).toBeUndefined(),
);
