import { beforeEach, expect, it } from 'vitest';
import type { Submission } from '../../core/submission/submission.ts';
import { WaitingSessions } from './waiting-sessions.ts';

const tenant = 'default';
const submissionOf = (type: string, typeVersion = 1) => ({ type, typeVersion }) as Submission;

class StubSession {
  readonly interest;
  hasRoom = true;
  looks = 0;

  constructor(queues: readonly string[], type: string, maxVersion = 1) {
    this.interest = { tenant, queues, types: [{ type, maxVersion }] };
  }

  waitsFor(): boolean {
    this.looks++;
    return this.hasRoom;
  }
}

let sessions: WaitingSessions<StubSession>;
beforeEach(() => {
  sessions = new WaitingSessions();
});

function waiting(queues: readonly string[], type: string, maxVersion = 1): StubSession {
  const session = new StubSession(queues, type, maxVersion);
  sessions.open(session);
  sessions.add(session);
  return session;
}

const nextFor = (queue: string, type: string, version = 1) =>
  sessions.next({ tenant, queue }, submissionOf(type, version));

it('a submission finds the sessions that wait for its queue, type and version, in turn', () => {
  const [first, second] = [waiting(['a', 'b'], 'send', 2), waiting(['a'], 'send', 2)];
  const other = waiting(['a'], 'note');
  const found = [1, 2, 3, 4].map(() => nextFor('a', 'send', 2));
  expect(new Set(found)).toEqual(new Set([first, second]));
  expect(found[0]).toBe(found[2]);
  expect(found[1]).toBe(found[3]);
  expect(nextFor('b', 'send')).toBe(first);
  expect(nextFor('a', 'note')).toBe(other);
  expect(nextFor('a', 'send', 3)).toBeUndefined();
  expect(nextFor('c', 'send')).toBeUndefined();
  expect(sessions.next({ tenant: 'acme', queue: 'a' }, submissionOf('send'))).toBeUndefined();
});

it('sessions that wait for other queues and types are not looked at, however many they are', () => {
  const others = [
    ...Array.from({ length: 800 }, () => waiting(['a'], 'note')),
    ...Array.from({ length: 800 }, () => waiting(['b'], 'send')),
  ];
  const one = waiting(['a'], 'send');
  for (let i = 0; i < 100; i++) expect(nextFor('a', 'send')).toBe(one);
  expect(others.every(({ looks }) => looks === 0)).toBe(true);
});

it('a session without room is passed over, and one that does not wait or was closed is not found', () => {
  const [full, busy, closed, one] = [1, 2, 3, 4].map(() => waiting(['a'], 'send')) as [
    StubSession,
    StubSession,
    StubSession,
    StubSession,
  ];
  full.hasRoom = false;
  sessions.delete(busy);
  sessions.close(closed);
  expect([nextFor('a', 'send'), nextFor('a', 'send')]).toEqual([one, one]);
  expect([...sessions]).toHaveLength(sessions.size);
  expect(sessions.size).toBe(2);
  sessions.close(one);
  expect(nextFor('a', 'send')).toBeUndefined();
  sessions.add(closed);
  expect(sessions.size).toBe(1);
});
