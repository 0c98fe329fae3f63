import { describe, expect, it } from 'vitest';
import { Life, startMs } from '../../../test/fixtures/life.ts';
import { type Renewal, renew } from './renew.ts';

function running(...args: ConstructorParameters<typeof Life>): Life {
  const life = new Life(...args);
  life.claim();
  return life;
}

function beat(life: Life, fencingToken = life.head.fencingToken): Renewal {
  const heartbeat = { fencingToken, leaseMs: 30_000, progress: { fraction: 0.5, note: 'half' } };
  return renew(life.head, life.facts, heartbeat, life.nowMs);
}

describe('a heartbeat', () => {
  it('moves the lease’s end on, and carries progress', () => {
    expect(beat(running().later(10_000))).toEqual({
      verdict: 'renewed',
      leaseEndAtMs: startMs + 40_000,
      progress: { fraction: 0.5, note: 'half' },
    });
  });

  it('renews a spent lease that nobody expired', () => {
    expect(beat(running().later(50_000))).toMatchObject({ verdict: 'renewed' });
  });

  it('never carries a lease past the attempt’s timeout, and then asks for a stop', () => {
    const life = running({ attemptTimeoutMs: 40_000 });
    const endMs = life.head.timeoutAtMs as number;
    expect(beat(life.later(20_000))).toMatchObject({ leaseEndAtMs: endMs });
    life.nowMs = endMs;
    expect(beat(life)).toEqual({ verdict: 'cancel', cause: 'timeout' });
  });

  it('is told of a cancellation, and renews nothing', () => {
    const life = running();
    life.cancel();
    expect(beat(life)).toEqual({ verdict: 'cancel', cause: 'cancelled' });
  });

  it('is told of a deadline, and renews nothing', () => {
    expect(beat(running({ deadlineAtMs: startMs + 5_000 }).later(5_000))).toEqual({
      verdict: 'cancel',
      cause: 'deadline',
    });
  });

  it('with another’s token, or after the end, has lost its lease', () => {
    const life = running();
    expect(beat(life, life.head.fencingToken - 1)).toEqual({ verdict: 'leaseLost' });
    life.settle('succeeded');
    expect(beat(life)).toEqual({ verdict: 'leaseLost' });
  });
});
