import { describe, expect, it } from 'vitest';
import { Life, minuteMs, outcomes, settle, startMs } from '../../../test/fixtures/life.ts';

const kinds = (decision: ReturnType<Life['do']>) =>
  decision.ok ? decision.events.map((event) => event.kind) : decision.rejection;

function running(...args: ConstructorParameters<typeof Life>): Life {
  const life = new Life(...args);
  life.claim();
  return life;
}

describe('a settlement', () => {
  it('of a failure records when to try again, by policy or as the worker says', () => {
    const life = running();
    life.settle('failed');
    expect(life.head).toMatchObject({ state: 'waiting', retrying: true, waitUntilMs: startMs + 500 });
    const other = running();
    other.do({ ...settle('failed', other.head.fencingToken), afterMs: 7 } as never);
    expect(other.head).toMatchObject({ waitUntilMs: startMs + 7, lastError: 'no luck' });
  });

  it('of the last allowed failure, or of a fatal one, is the end', () => {
    const last = running({ retry: { maxAttempts: 1 } });
    last.settle('failed');
    expect(last.head).toMatchObject({ state: 'dead', deadReason: 'attempts' });
    const fatal = running();
    fatal.settle('fatal');
    expect(fatal.head).toMatchObject({ state: 'dead', deadReason: 'fatal' });
  });

  it('of a snooze uses no attempt', () => {
    const life = running();
    life.settle('snoozed');
    expect(life.head).toMatchObject({ attempt: 0, waitUntilMs: startMs + minuteMs, retrying: false });
  });

  it('of a release is free for twenty times, then counts as a failure', () => {
    const life = new Life();
    for (let i = 0; i < 20; i++) {
      life.claim();
      expect(kinds(life.settle('released'))).toEqual(['claimReleased']);
    }
    life.claim();
    expect(kinds(life.settle('released'))).toEqual(['failed']);
    expect(life.head).toMatchObject({ retrying: true, attempt: 1 });
  });

  it('of a release that does not count is always free', () => {
    const life = new Life();
    for (let i = 0; i < 30; i++) {
      life.claim();
      const fencingToken = life.head.fencingToken;
      life.do({ kind: 'settle', fencingToken, outcome: 'released', counted: false, random: 0 });
    }
    expect(life.head).toMatchObject({ state: 'waiting', attempt: 0, releases: 0 });
  });

  it('of a stop that nobody asked for is refused', () => {
    expect(kinds(running().settle('cancelled'))).toEqual({ why: 'noCancelRequested' });
  });

  it('that succeeds wins over a cancellation and over a deadline; anything else brings them', () => {
    for (const outcome of outcomes) {
      const cancelled = running();
      cancelled.cancel();
      cancelled.settle(outcome);
      expect(cancelled.head.state).toBe(outcome === 'succeeded' ? 'succeeded' : 'cancelled');
      const late = running({ deadlineAtMs: startMs + 1_000 });
      late.later(1_000).settle(outcome);
      expect(late.head.state).toBe(outcome === 'succeeded' ? 'succeeded' : 'dead');
      if (outcome !== 'succeeded') expect(late.head.deadReason).toBe('deadline');
    }
  });
});

describe('a settlement told again', () => {
  it('is a repeat also where an end took the place of what it told', () => {
    for (const outcome of outcomes) {
      const life = running();
      life.cancel();
      const fencingToken = life.head.fencingToken;
      life.settle(outcome);
      expect(life.settle(outcome, fencingToken)).toMatchObject({ ok: true, events: [] });
    }
  });

  it('is a repeat where the release that it told was counted as a failure', () => {
    const life = new Life();
    for (let i = 0; i <= 20; i++) {
      life.claim();
      life.settle('released');
    }
    expect(life.settle('released')).toMatchObject({ ok: true, events: [], recorded: { kind: 'failed' } });
  });

  it('with another outcome is refused, with what was recorded', () => {
    const pairs = [
      ['succeeded', 'failed'],
      ['failed', 'succeeded'],
      ['snoozed', 'released'],
      ['released', 'snoozed'],
      ['fatal', 'succeeded'],
      ['failed', 'released'],
    ] as const;
    for (const [first, second] of pairs) {
      const life = running();
      life.settle(first);
      const { head } = life;
      expect(kinds(life.settle(second))).toEqual({ why: 'outcomeRecorded', recorded: life.events.at(-1) });
      expect(life.head).toBe(head);
    }
  });

  it('that was cancelled in the end does not become a success', () => {
    const life = running();
    life.cancel();
    life.settle('failed');
    expect(kinds(life.settle('succeeded'))).toMatchObject({ why: 'outcomeRecorded' });
  });

  it('after its lease was given to another is refused, and changes nothing', () => {
    const life = running();
    const stale = life.head.fencingToken;
    life.later(32_000).claim();
    const { head } = life;
    for (const outcome of outcomes) expect(kinds(life.settle(outcome, stale))).toEqual({ why: 'leaseLost' });
    expect(life.head).toBe(head);
  });

  it('is no repeat of an end that was nobody’s outcome', () => {
    const life = running({ retry: { maxAttempts: 1 } });
    life.later(32_000).do({ kind: 'expire' });
    expect(kinds(life.settle('failed'))).toEqual({ why: 'leaseLost' });
  });
});
