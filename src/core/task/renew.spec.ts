import { describe, expect, it } from 'vitest';
import { startMs, TaskLife } from '../../../test/fixtures/task-life.ts';
import { type HeartbeatDecision, renew } from './renew.ts';

function running(...args: ConstructorParameters<typeof TaskLife>): TaskLife {
  const life = new TaskLife(...args);
  life.claim();
  return life;
}

function beat(life: TaskLife, fencingToken = life.head.fencingToken): HeartbeatDecision {
  const heartbeat = { fencingToken, leaseMs: 30_000, begun: true, progress: { fraction: 0.5, note: 'half' } };
  return renew(life.head, life.facts, heartbeat, life.nowMs);
}

describe('a heartbeat', () => {
  it('extends the lease and stores progress', () => {
    expect(beat(running().later(10_000))).toEqual({
      verdict: 'renewed',
      leaseEndAtMs: startMs + 40_000,
      begun: true,
      progress: { fraction: 0.5, note: 'half' },
    });
  });

  it('renews a lease whose end has passed if no other write has ended the lease', () => {
    expect(beat(running().later(50_000))).toMatchObject({ verdict: 'renewed' });
  });

  it('never extends a lease beyond the attempt’s timeout, and stops the attempt at that time', () => {
    const life = running({ attemptTimeoutMs: 40_000 });
    const endMs = life.head.timeoutAtMs as number;
    expect(beat(life.later(20_000))).toMatchObject({ leaseEndAtMs: endMs - 1 });
    expect(beat(life.later(15_000))).toMatchObject({ leaseEndAtMs: endMs });
    life.nowMs = endMs;
    expect(beat(life)).toEqual({ verdict: 'cancel', cause: 'timeout' });
  });

  it('of a task with a requested cancellation is answered with the cancellation and does not renew the lease', () => {
    const life = running();
    life.cancel();
    expect(beat(life)).toEqual({ verdict: 'cancel', cause: 'cancelled' });
  });

  it('of a task whose deadline has passed is answered with a cancellation and does not renew the lease', () => {
    expect(beat(running({ deadlineAtMs: startMs + 5_000 }).later(5_000))).toEqual({
      verdict: 'cancel',
      cause: 'deadline',
    });
  });

  it('with another fencing token, or after the task’s end, gets the answer that the lease is lost', () => {
    const life = running();
    expect(beat(life, life.head.fencingToken - 1)).toEqual({ verdict: 'leaseLost' });
    life.settle('succeeded');
    expect(beat(life)).toEqual({ verdict: 'leaseLost' });
  });
});
