import { describe, expect, it } from 'vitest';
import { dayMs, minuteMs, startMs, TaskLife } from '../../../test/fixtures/task-life.ts';
import type { Command } from './command.ts';
import { decide } from './decide.ts';

const kinds = (decision: ReturnType<TaskLife['do']>) =>
  decision.ok ? decision.events.map((event) => event.kind) : decision.rejection;

describe('a claim', () => {
  it('of a ready task begins its first attempt, with a fencing token of at least the current time', () => {
    const life = new TaskLife();
    expect(kinds(life.claim())).toEqual(['claimed']);
    expect(life.head).toMatchObject({ state: 'running', attempt: 1, fencingToken: startMs, worker: 'w' });
    expect(life.head.leaseEndAtMs).toBe(startMs + 30_000);
  });

  it('raises the fencing token even if the clock went back', () => {
    const life = new TaskLife();
    life.claim();
    life.settle('released');
    life.later(-minuteMs).claim();
    expect(life.head.fencingToken).toBe(startMs + 1);
  });

  it('is refused until 2 s after the end of another worker’s lease, because the clocks of nodes differ', () => {
    const life = new TaskLife();
    life.claim();
    expect(kinds(life.later(31_999).claim())).toEqual({ why: 'leased', untilMs: startMs + 32_000 });
    expect(kinds(life.later(1).claim())).toEqual(['leaseExpired', 'claimed']);
    expect(life.head).toMatchObject({ attempt: 1, losses: 1 });
  });

  it('of a scheduled task is refused until the sweep has made the task ready, even after its start time', () => {
    const life = new TaskLife({ delayMs: 1_000 });
    expect(kinds(life.later(minuteMs).claim())).toEqual({ why: 'scheduled', untilMs: startMs + 1_000 });
    expect(kinds(life.madeReady().claim())).toEqual(['claimed']);
  });

  it('is refused if an earlier task with the same ordering key has not ended', () => {
    expect(kinds(new TaskLife({}, { inLane: true }).claim(false))).toEqual({ why: 'notLowest' });
  });

  it('of a task that has ended is refused', () => {
    const life = new TaskLife();
    life.cancel();
    expect(kinds(life.claim())).toEqual({ why: 'ended', state: 'cancelled' });
  });

  it('of a task whose deadline has passed ends the task instead', () => {
    const life = new TaskLife({ deadlineAtMs: startMs + 1_000 });
    expect(kinds(life.later(1_000).claim())).toEqual(['died']);
    expect(life.head).toMatchObject({ state: 'dead', deadReason: 'deadline' });
  });

  it('of a task whose default lifetime has passed ends the task instead', () => {
    const life = new TaskLife();
    life.later(14 * dayMs).claim();
    expect(life.head).toMatchObject({ state: 'dead', deadReason: 'lifetime' });
  });
});

describe('an expired lease', () => {
  it('cancels the task if a cancellation was requested', () => {
    const life = new TaskLife();
    life.claim();
    expect(kinds(life.cancel())).toEqual(['cancelRequested']);
    expect(kinds(life.later(32_000).do({ kind: 'expire' }))).toEqual(['leaseExpired', 'cancelled']);
  });

  it('ends the task if the task’s deadline has passed', () => {
    const life = new TaskLife({ deadlineAtMs: startMs + 1_000 });
    life.claim();
    expect(kinds(life.later(32_000).claim())).toEqual(['leaseExpired', 'died']);
    expect(life.head.deadReason).toBe('deadline');
  });

  it('is ended by an expire command only 2 s after its end; a task without a lease refuses the command', () => {
    const life = new TaskLife();
    expect(kinds(life.do({ kind: 'expire' }))).toEqual({ why: 'nothingDue' });
    life.claim();
    expect(kinds(life.later(31_999).do({ kind: 'expire' }))).toMatchObject({ why: 'leased' });
  });

  it('still accepts the settlement of its worker if no other write has ended the lease', () => {
    const life = new TaskLife();
    life.claim();
    expect(kinds(life.later(60_000).settle('succeeded'))).toEqual(['succeeded']);
  });
});

describe('a lapse command', () => {
  it('ends a waiting task after its deadline, and is refused before the deadline and after the task’s end', () => {
    const life = new TaskLife({ deadlineAtMs: startMs + 1_000 });
    expect(kinds(life.do({ kind: 'lapse' }))).toEqual({ why: 'nothingDue' });
    expect(kinds(life.later(1_000).do({ kind: 'lapse' }))).toEqual(['died']);
    expect(kinds(life.do({ kind: 'lapse' }))).toEqual({ why: 'ended', state: 'dead' });
  });

  it('is refused for a running task, which is left to its worker', () => {
    const life = new TaskLife({ deadlineAtMs: startMs + 1_000 });
    life.claim();
    expect(kinds(life.later(2_000).do({ kind: 'lapse' }))).toEqual({ why: 'nothingDue' });
  });
});

describe('an unassign command', () => {
  it('gives a task back whose handler was not called, without using an attempt', () => {
    const life = new TaskLife();
    life.claim(true, false);
    expect(kinds(life.unassign(true))).toEqual(['claimReleased']);
    expect(life.head).toMatchObject({ state: 'waiting', attempt: 0, releases: 1 });
  });

  it('is refused after a heartbeat has recorded that the handler was called, and for an older lease', () => {
    const life = new TaskLife({ retry: { maxAttempts: 1 } });
    life.claim(true, false);
    expect(kinds(life.unassign(false, life.head.fencingToken - 1))).toEqual({ why: 'leaseLost' });
    life.heartbeat();
    expect(kinds(life.unassign())).toEqual({ why: 'begun' });
  });

  it('ends a task whose cancellation was requested', () => {
    const life = new TaskLife();
    life.claim(true, false);
    life.cancel();
    expect(kinds(life.unassign())).toEqual(['cancelled']);
  });
});

describe('a cancel', () => {
  it('of a waiting task takes effect at once', () => {
    const life = new TaskLife({ delayMs: 1_000 });
    expect(kinds(life.cancel())).toEqual(['cancelled']);
  });

  it('of a task that has succeeded is refused', () => {
    const life = new TaskLife();
    life.claim();
    life.settle('succeeded');
    expect(kinds(life.cancel())).toEqual({ why: 'ended', state: 'succeeded' });
  });

  it('of a dead task that blocks its lane skips the task, so that the next task of the lane can run', () => {
    const life = new TaskLife({}, { inLane: true, onDead: 'hold' });
    life.claim();
    life.settle('fatal');
    expect(life.head).toMatchObject({ state: 'dead', holdsLane: true, handOver: false });
    expect(kinds(life.cancel())).toEqual(['cancelled']);
    expect(life.head).toMatchObject({ state: 'cancelled', holdsLane: false, handOver: true });
  });
});

describe('the release of a lane', () => {
  function holder(): TaskLife {
    const life = new TaskLife({}, { inLane: true, onDead: 'hold' });
    life.claim();
    life.settle('fatal');
    return life;
  }

  it('lets the next task of the lane run, and the task stays dead', () => {
    const life = holder();
    expect(kinds(life.releaseLane())).toEqual(['laneReleased']);
    expect(life.head).toMatchObject({ state: 'dead', holdsLane: false, handOver: true, endedAtMs: startMs });
    expect(kinds(life.handedOver().redrive())).toEqual(['redriven']);
  });

  it('is refused while the queue’s setting is to hold, and for a task that holds no lane', () => {
    expect(kinds(holder().do({ kind: 'releaseLane', actor: 'operator' }))).toEqual({ why: 'nothingDue' });
    expect(kinds(new TaskLife().releaseLane())).toEqual({ why: 'nothingDue' });
  });
});

describe('a redrive', () => {
  function dead(...args: ConstructorParameters<typeof TaskLife>): TaskLife {
    const life = new TaskLife(...args);
    life.claim();
    life.settle('fatal');
    return life;
  }

  it('makes a dead task wait again, due now, with all its attempts and without a deadline', () => {
    const life = dead({ deadlineAtMs: startMs + minuteMs });
    expect(kinds(life.later(1_000).redrive())).toEqual(['redriven']);
    expect(life.head).toMatchObject({
      state: 'waiting',
      waitUntilMs: startMs + 1_000,
      attempt: 0,
      deadlineAtMs: undefined,
      endedAtMs: undefined,
    });
    expect(life.head.lifetimeEndAtMs).toBe(life.facts.expiresAtMs - 3_600_000);
  });

  it('is refused less than a day before the task expires', () => {
    const life = dead();
    life.nowMs = life.facts.expiresAtMs - dayMs + 1;
    expect(kinds(life.redrive())).toEqual({ why: 'expiresSoon' });
  });

  it('of a dead task that does not block its lane is refused until the task’s old place in the lane is removed', () => {
    const life = dead({}, { inLane: true });
    expect(kinds(life.redrive())).toEqual({ why: 'handOverPending' });
    expect(kinds(life.handedOver().redrive())).toEqual(['redriven']);
  });

  it('of a dead task that blocks its lane keeps the task’s place in the lane', () => {
    expect(kinds(dead({}, { inLane: true, onDead: 'hold' }).redrive())).toEqual(['redriven']);
  });

  it('of a task that is not dead is refused', () => {
    expect(kinds(new TaskLife().redrive())).toEqual({ why: 'notDead', state: 'waiting' });
  });
});

describe('a lease whose end has passed, in a process that has just started or was stalled', () => {
  const started = () => {
    const life = new TaskLife({ retry: { maxAttempts: 2 } });
    life.claim();
    const facts = { ...life.facts, expiresNotBeforeMs: startMs + 60_000 };
    const decided = (atMs: number, command: Command) => kinds(decide(life.head, facts, command, atMs));
    return decided;
  };
  const claim: Command = {
    kind: 'claim',
    worker: 'other',
    leaseMs: 30_000,
    leaseSecret: '',
    lowest: true,
    begins: true,
  };

  it('is not taken over by a claim before the time from which leases may expire', () => {
    const decided = started();
    expect(decided(startMs + 59_999, claim)).toEqual({ why: 'leased', untilMs: startMs + 60_000 });
    expect(decided(startMs + 60_000, claim)).toEqual(['leaseExpired', 'claimed']);
  });

  it('is not recorded as expired before the time from which leases may expire', () => {
    const decided = started();
    expect(decided(startMs + 59_999, { kind: 'expire' })).toEqual({
      why: 'leased',
      untilMs: startMs + 60_000,
    });
    expect(decided(startMs + 60_000, { kind: 'expire' })).toEqual(['leaseExpired']);
  });

  it('is never expired earlier than without that time', () => {
    const life = new TaskLife();
    life.claim();
    const facts = { ...life.facts, expiresNotBeforeMs: startMs + 1 };
    expect(kinds(decide(life.head, facts, claim, startMs + 31_999))).toEqual({
      why: 'leased',
      untilMs: startMs + 32_000,
    });
  });
});
