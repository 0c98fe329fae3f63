import { describe, expect, it } from 'vitest';
import { startMs, TaskLife } from '../../../test/fixtures/task-life.ts';
import { decodeEvent } from '../codec/event.ts';
import type { LeaseKnowledge } from './command.ts';
import { fold } from './evolve.ts';

const kinds = (decision: ReturnType<TaskLife['do']>) =>
  decision.ok ? decision.events.map((event) => event.kind) : decision.rejection;

const leaseExpiredMs = 32_000;

function claimed(...args: ConstructorParameters<typeof TaskLife>): TaskLife {
  const life = new TaskLife(...args);
  life.claim(true, false);
  return life;
}

/** Lets the current lease expire and returns the event of the expiry. */
function lose(life: TaskLife, lastLease?: LeaseKnowledge) {
  const decision = life.later(leaseExpiredMs).expire(lastLease);
  return decision.ok ? decision.events[0] : decision.rejection;
}

describe('an expired lease', () => {
  it('gives the attempt back and makes the task ready at once', () => {
    const life = new TaskLife();
    life.claim();
    expect(lose(life)).toMatchObject({ kind: 'leaseExpired', begun: 'yes', countsAsLoss: true });
    expect(life.head).toMatchObject({ state: 'waiting', waitUntilMs: undefined, attempt: 0, losses: 1 });
  });

  it('of an attempt that had not begun counts no loss, and of one that may have begun counts one', () => {
    const known = claimed();
    expect(lose(known, { begun: false, reportedInTime: false })).toMatchObject({ begun: 'no' });
    expect(known.head).toMatchObject({ attempt: 0, losses: 0 });
    const unknown = claimed();
    expect(lose(unknown)).toMatchObject({ begun: 'unknown', countsAsLoss: true });
    expect(unknown.head).toMatchObject({ attempt: 0, losses: 1 });
    const stored = claimed();
    stored.heartbeat();
    expect(lose(stored, { begun: false, reportedInTime: false })).toMatchObject({ begun: 'yes' });
  });

  it('whose worker reported in time counts no loss, because only the store could not record it', () => {
    const life = claimed();
    const expired = lose(life, { begun: true, reportedInTime: true });
    expect(expired).toMatchObject({ begun: 'yes', countsAsLoss: false });
    expect(life.head.losses).toBe(0);
  });

  it('is a failed attempt if heartbeats renewed the lease until the timeout of the attempt', () => {
    const life = new TaskLife({ attemptTimeoutMs: 60_000, retry: { maxAttempts: 2 } });
    for (const attempt of [1, 2]) {
      life.madeReady().claim();
      for (let i = 0; i < 6; i++) life.later(10_000).heartbeat();
      expect(life.head.attempt).toBe(attempt);
      life.later(leaseExpiredMs);
      expect(kinds(life.expire())).toEqual([attempt === 1 ? 'failed' : 'died']);
    }
    expect(life.head).toMatchObject({ deadReason: 'attempts', losses: 0 });
    expect(life.head.lastError).toContain('timeout of 60000 ms');
  });

  it('counts as a loss if the timeout of the attempt is shorter than a lease', () => {
    const life = new TaskLife({ attemptTimeoutMs: 10_000 });
    life.claim();
    expect(lose(life)).toMatchObject({ kind: 'leaseExpired', countsAsLoss: true });
  });

  it.each([
    [30_000, [10_000, 10_000]],
    [60_000, [10_000, 10_000, 10_000, 10_000, 10_000]],
    [3_600_000, [10_000]],
  ])(
    'of a timeout of %i ms counts as a loss if the last heartbeat came long before the timeout',
    (attemptTimeoutMs, beats) => {
      const life = new TaskLife({ attemptTimeoutMs });
      life.claim();
      for (const ms of beats) life.later(ms).heartbeat();
      expect(lose(life)).toMatchObject({ kind: 'leaseExpired', begun: 'yes', countsAsLoss: true });
      expect(life.head).toMatchObject({ state: 'waiting', attempt: 0, losses: 1 });
    },
  );

  it('of a task that may be tried once and whose worker was lost before the timeout is a lost worker', () => {
    const life = new TaskLife({ attemptTimeoutMs: 30_000, retry: { maxAttempts: 1 } });
    life.claim();
    life.later(10_000).heartbeat();
    lose(life);
    expect(life.head).toMatchObject({ state: 'dead', deadReason: 'workerLost' });
  });

  it('ends the task at its third loss, which is a loss while the task ran alone', () => {
    const life = new TaskLife({ retry: { maxAttempts: 1_000 } });
    for (const alone of [false, false, true]) {
      life.claim();
      expect(lose(life)).toMatchObject({ kind: 'leaseExpired', alone });
    }
    expect(life.head).toMatchObject({ state: 'dead', deadReason: 'workerLost', losses: 3 });
    expect(life.head.lastError).toContain("lost 3 workers, the last one, 'w'");
  });

  it('of a task that waited to run alone counts no loss, unless its worker reported that it began', () => {
    const life = new TaskLife();
    for (let i = 0; i < 2; i++) {
      life.claim();
      lose(life);
    }
    life.claim(true, false);
    expect(life.head.timeoutAtMs).toBe(life.nowMs + 60_000 + life.facts.options.attemptTimeoutMs);
    expect(lose(life)).toMatchObject({ begun: 'no', alone: true, countsAsLoss: false });
    expect(life.head).toMatchObject({ state: 'waiting', losses: 2 });
    life.claim(true, false);
    expect(lose(life, { begun: true, reportedInTime: false })).toMatchObject({ begun: 'yes', alone: true });
    expect(life.head).toMatchObject({ state: 'dead', deadReason: 'workerLost' });
  });

  it('ends the task only after as many losses as its task type allows', () => {
    const life = new TaskLife({ maxLosses: 5 });
    for (let i = 0; i < 4; i++) {
      life.claim();
      lose(life);
    }
    expect(life.head).toMatchObject({ state: 'waiting', losses: 4 });
    life.claim();
    lose(life);
    expect(life.head).toMatchObject({ state: 'dead', deadReason: 'workerLost' });
  });

  it('of a task that may be tried once ends the task if its handler was called, else the task is tried', () => {
    const begun = new TaskLife({ retry: { maxAttempts: 1 } });
    begun.claim();
    lose(begun);
    expect(begun.head).toMatchObject({ state: 'dead', deadReason: 'workerLost' });
    expect(begun.head.lastError).toContain("worker 'w' was lost during the task's only attempt");
    const waiting = claimed({ retry: { maxAttempts: 1 } });
    expect(lose(waiting)).toMatchObject({ begun: 'no', countsAsLoss: false });
    expect(kinds(waiting.claim())).toEqual(['claimed']);
  });

  it('forgets its losses when the task is redriven', () => {
    const life = new TaskLife();
    for (let i = 0; i < 3; i++) {
      life.claim();
      lose(life);
    }
    life.redrive();
    expect(life.head).toMatchObject({ state: 'waiting', losses: 0, attempt: 0 });
  });

  it('used the attempt in an event of an older version, and does so whenever that event is read', () => {
    const older = decodeEvent(Uint8Array.from([0x08, 4, 0x10, 1, 0x18, 5, 0x20, 9]));
    expect(older).toMatchObject({ kind: 'leaseExpired', begun: undefined });
    const life = new TaskLife();
    life.claim();
    expect(fold([...life.events, older])).toMatchObject({ state: 'waiting', attempt: 1, losses: 0 });
  });
});

it('a claim of a task whose expired attempt reached its timeout records the failure and claims nothing yet', () => {
  const life = new TaskLife({ attemptTimeoutMs: 60_000 });
  life.claim();
  for (let i = 0; i < 6; i++) life.later(10_000).heartbeat();
  life.later(leaseExpiredMs);
  expect(kinds(life.claim())).toEqual(['failed']);
  expect(life.head).toMatchObject({ state: 'waiting', retrying: true, waitUntilMs: life.nowMs + 1_000 });
  expect(life.head.fencingToken).toBe(startMs);
});
