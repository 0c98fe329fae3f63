import { describe, expect, it } from 'vitest';
import { dayMs, Life, minuteMs, startMs } from '../../../test/fixtures/life.ts';

const kinds = (decision: ReturnType<Life['do']>) =>
  decision.ok ? decision.events.map((event) => event.kind) : decision.rejection;

describe('a claim', () => {
  it('of a ready task begins its first attempt, with a token no smaller than the time', () => {
    const life = new Life();
    expect(kinds(life.claim())).toEqual(['claimed']);
    expect(life.head).toMatchObject({ state: 'running', attempt: 1, fencingToken: startMs, worker: 'w' });
    expect(life.head.leaseEndAtMs).toBe(startMs + 30_000);
  });

  it('raises the token even where the clock went back', () => {
    const life = new Life();
    life.claim();
    life.settle('released');
    life.later(-minuteMs).claim();
    expect(life.head.fencingToken).toBe(startMs + 1);
  });

  it('is refused while the lease and its guard last, and takes over after', () => {
    const life = new Life();
    life.claim();
    expect(kinds(life.later(31_999).claim())).toEqual({ why: 'leased', untilMs: startMs + 32_000 });
    expect(kinds(life.later(1).claim())).toEqual(['leaseExpired', 'claimed']);
    expect(life.head.attempt).toBe(2);
  });

  it('of a scheduled task is refused, however late it is: the sweep makes it ready first', () => {
    const life = new Life({ delayMs: 1_000 });
    expect(kinds(life.later(minuteMs).claim())).toEqual({ why: 'scheduled', untilMs: startMs + 1_000 });
    expect(kinds(life.madeReady().claim())).toEqual(['claimed']);
  });

  it('is refused where another one of its lane comes first', () => {
    expect(kinds(new Life({}, { inLane: true }).claim(false))).toEqual({ why: 'notLowest' });
  });

  it('of a task that has ended is refused', () => {
    const life = new Life();
    life.cancel();
    expect(kinds(life.claim())).toEqual({ why: 'ended', state: 'cancelled' });
  });

  it('after the deadline ends the task instead', () => {
    const life = new Life({ deadlineAtMs: startMs + 1_000 });
    expect(kinds(life.later(1_000).claim())).toEqual(['died']);
    expect(life.head).toMatchObject({ state: 'dead', deadReason: 'deadline' });
  });

  it('after the default lifetime ends the task instead', () => {
    const life = new Life();
    life.later(14 * dayMs).claim();
    expect(life.head).toMatchObject({ state: 'dead', deadReason: 'lifetime' });
  });
});

describe('a spent lease', () => {
  it('uses the attempt and waits for nothing: the task is ready at once', () => {
    const life = new Life();
    life.claim();
    expect(kinds(life.later(32_000).do({ kind: 'expire' }))).toEqual(['leaseExpired']);
    expect(life.head).toMatchObject({ state: 'waiting', waitUntilMs: undefined, attempt: 1 });
  });

  it('of the last attempt is the end', () => {
    const life = new Life({ retry: { maxAttempts: 1 } });
    life.claim();
    expect(kinds(life.later(32_000).claim())).toEqual(['leaseExpired', 'died']);
    expect(life.head).toMatchObject({ deadReason: 'attempts', lastError: expect.stringContaining('lease') });
  });

  it('brings the cancellation that was asked for', () => {
    const life = new Life();
    life.claim();
    expect(kinds(life.cancel())).toEqual(['cancelRequested']);
    expect(kinds(life.later(32_000).do({ kind: 'expire' }))).toEqual(['leaseExpired', 'cancelled']);
  });

  it('brings the deadline that has passed', () => {
    const life = new Life({ deadlineAtMs: startMs + 1_000 });
    life.claim();
    expect(kinds(life.later(32_000).claim())).toEqual(['leaseExpired', 'died']);
    expect(life.head.deadReason).toBe('deadline');
  });

  it('is not one before the guard is over, nor where nobody holds it', () => {
    const life = new Life();
    expect(kinds(life.do({ kind: 'expire' }))).toEqual({ why: 'nothingDue' });
    life.claim();
    expect(kinds(life.later(31_999).do({ kind: 'expire' }))).toMatchObject({ why: 'leased' });
  });

  it('that nobody expired still settles', () => {
    const life = new Life();
    life.claim();
    expect(kinds(life.later(60_000).settle('succeeded'))).toEqual(['succeeded']);
  });
});

describe('a lapse', () => {
  it('ends what waits past its deadline, and nothing else', () => {
    const life = new Life({ deadlineAtMs: startMs + 1_000 });
    expect(kinds(life.do({ kind: 'lapse' }))).toEqual({ why: 'nothingDue' });
    expect(kinds(life.later(1_000).do({ kind: 'lapse' }))).toEqual(['died']);
    expect(kinds(life.do({ kind: 'lapse' }))).toEqual({ why: 'ended', state: 'dead' });
  });

  it('leaves a running task to its worker', () => {
    const life = new Life({ deadlineAtMs: startMs + 1_000 });
    life.claim();
    expect(kinds(life.later(2_000).do({ kind: 'lapse' }))).toEqual({ why: 'nothingDue' });
  });
});

describe('a cancel', () => {
  it('of a waiting task takes effect at once', () => {
    const life = new Life({ delayMs: 1_000 });
    expect(kinds(life.cancel())).toEqual(['cancelled']);
  });

  it('of what has ended otherwise is refused', () => {
    const life = new Life();
    life.claim();
    life.settle('succeeded');
    expect(kinds(life.cancel())).toEqual({ why: 'ended', state: 'succeeded' });
  });

  it('of a dead task that holds its lane skips it, and hands the lane on', () => {
    const life = new Life({}, { inLane: true, onDead: 'hold' });
    life.claim();
    life.settle('fatal');
    expect(life.head).toMatchObject({ state: 'dead', holdsLane: true, handOver: false });
    expect(kinds(life.cancel())).toEqual(['cancelled']);
    expect(life.head).toMatchObject({ state: 'cancelled', holdsLane: false, handOver: true });
  });
});

describe('a redrive', () => {
  function dead(...args: ConstructorParameters<typeof Life>): Life {
    const life = new Life(...args);
    life.claim();
    life.settle('fatal');
    return life;
  }

  it('lets the task wait again with all its attempts, due now, without deadline', () => {
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

  it('is refused less than a day before everything of the task expires', () => {
    const life = dead();
    life.nowMs = life.facts.expiresAtMs - dayMs + 1;
    expect(kinds(life.redrive())).toEqual({ why: 'expiresSoon' });
  });

  it('from a released lane waits for the hand-over, or its old place would still be the lowest', () => {
    const life = dead({}, { inLane: true });
    expect(kinds(life.redrive())).toEqual({ why: 'handOverPending' });
    expect(kinds(life.handedOver().redrive())).toEqual(['redriven']);
  });

  it('of a task that holds its lane is in place', () => {
    expect(kinds(dead({}, { inLane: true, onDead: 'hold' }).redrive())).toEqual(['redriven']);
  });

  it('of a task that is not dead is refused', () => {
    expect(kinds(new Life().redrive())).toEqual({ why: 'notDead', state: 'waiting' });
  });
});
