import { expect, test } from 'vitest';
import type { DispatchMessage, DispatchReason } from '../../../ports/broker.ts';
import { decodeMessage, deduplicationOf, encodeMessage, groupOf } from './message.ts';

const queue = { tenant: 'acme', queue: 'mail' };
const one: DispatchMessage = {
  id: 'abcdefghijklmnopqrstuv.mjuohs00',
  queue,
  priority: 'high',
  type: 'send',
  typeVersion: 3,
  version: 7,
  reason: 'due',
};
const accepted = /^[A-Za-z0-9!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~]{1,128}$/;

test('an encoded dispatch message is decoded to the same message', () => {
  expect(decodeMessage(encodeMessage(one), queue)).toEqual(one);
  const odd = { ...one, id: 'ümläut "\\\n', type: '[1,2]', typeVersion: 0 };
  expect(decodeMessage(encodeMessage(odd), queue)).toEqual(odd);
});

test.each([
  '',
  'null',
  '{}',
  '[]',
  'nonsense',
  '[2,"a","send",1,1,"submit","normal"]',
  '[1,"","send",1,1,"submit","normal"]',
  '[1,"a",5,1,1,"submit","normal"]',
  '[1,"a","send",-1,1,"submit","normal"]',
  '[1,"a","send",1,"1","submit","normal"]',
  '[1,"a","send",1,1,"because","normal"]',
  '[1,"a","send",1,1,"submit","urgent"]',
  '[1,"a","send",1,1,"submit"]',
])('the body %j is not decoded to a dispatch message', (body) => {
  expect(decodeMessage(body, queue)).toBeUndefined();
});

test('the SQS deduplication id of a dispatch message differs by task, version and reason, and by nothing else', () => {
  const of = (more: Partial<DispatchMessage>, nowMs = 0): string =>
    deduplicationOf({ ...one, ...more }, nowMs);
  const others = [
    of({}),
    of({ id: 'b' }),
    of({ version: 8 }),
    of({ reason: 'redrive' }),
    of({ reason: 'again' }),
  ];
  expect(new Set(others).size).toBe(others.length);
  expect(of({ type: 'other', typeVersion: 9, priority: 'low' }, 60_000)).toBe(of({}));
});

test('a dispatch message with the reason "again" gets a new SQS deduplication id every 15 s', () => {
  const at = (nowMs: number): string => deduplicationOf({ ...one, reason: 'again' }, nowMs);
  expect(at(14_999)).toBe(at(0));
  expect(at(15_000)).not.toBe(at(0));
});

test('a task id that the DynamoDB engine generates is used unchanged as the SQS message group id', () => {
  expect(groupOf(one)).toBe(one.id);
  expect(groupOf({ ...one, id: 'abcdefghijklmnopqrstuv~mjuohs00' })).toBe('abcdefghijklmnopqrstuv~mjuohs00');
});

test('from any task id, a message group id and deduplication ids are made that SQS accepts and that are unique', () => {
  const ids = ['a', 'a b', 'a  b', 'ü', '=a', '=', 'x'.repeat(128), 'x'.repeat(129), 'x'.repeat(2_000), '\n'];
  // This task id is equal to the hash of another task id in the list.
  ids.push(groupOf({ ...one, id: 'a b' }));
  const reasons: DispatchReason[] = ['submit', 'due', 'handOver', 'redrive', 'again', 'dead'];
  const groups = ids.map((id) => groupOf({ ...one, id }));
  const deduplications = ids.flatMap((id) =>
    reasons.map((reason) => deduplicationOf({ ...one, id, reason }, 0)),
  );
  for (const all of [groups, deduplications]) {
    expect(new Set(all).size).toBe(all.length);
    for (const id of all) expect(id).toMatch(accepted);
  }
});
