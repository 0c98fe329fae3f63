import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { noOptions } from './codec/options.ts';
import type { Command } from './command.ts';
import { decide } from './decide.ts';
import type { Facts } from './decision.ts';
import type { TaskEvent } from './event.ts';
import { fold } from './evolve.ts';
import { type Head, isEnded } from './head.ts';
import { backoffMs } from './retry.ts';
import { expiry, type OptionsRequest, resolveOptions, submittedEvent } from './submission.ts';

const startMs = 1_764_000_000_000;

interface Life {
  head: Head;
  readonly events: TaskEvent[];
  readonly facts: Facts;
}

function born(
  asked: Partial<OptionsRequest> = {},
  inLane = false,
  onDead: 'release' | 'hold' = 'release',
): Life {
  const options = resolveOptions({ ...noOptions, ...asked }, startMs);
  const submitted = submittedEvent(options, startMs, inLane ? 'lane' : undefined);
  const events: TaskEvent[] = [submitted];
  const facts = {
    options,
    acceptedAtMs: startMs,
    expiresAtMs: expiry(options, startMs),
    onDead,
    tip: events,
  };
  return { head: fold(events), events, facts };
}

/** Applies a command; what is not an event (made ready, handed over) happens as the loops would do it. */
function apply(life: Life, command: Command, nowMs: number): ReturnType<typeof decide> {
  const decision = decide(life.head, life.facts, command, nowMs);
  if (decision.ok) {
    life.head = decision.head;
    life.events.push(...decision.events);
  }
  return decision;
}

const deed = fc.oneof(
  fc.record({ do: fc.constant('claim' as const), lowest: fc.boolean() }),
  fc.record({ do: fc.constantFrom('expire', 'lapse', 'cancel', 'redrive', 'ready', 'handedOver') }),
  fc.record({
    do: fc.constant('settle' as const),
    stale: fc.boolean(),
    outcome: fc.constantFrom('succeeded', 'failed', 'fatal', 'snoozed', 'released', 'cancelled'),
  }),
);
const deeds = fc.array(fc.record({ deed, afterMs: fc.integer({ min: 0, max: 60_000 }) }), { maxLength: 40 });

function commandOf(
  life: Life,
  one: { do: string; lowest?: boolean; stale?: boolean; outcome?: string },
): Command | undefined {
  switch (one.do) {
    case 'claim':
      return { kind: 'claim', worker: 'w', leaseMs: 30_000, lowest: one.lowest === true };
    case 'expire':
    case 'lapse':
      return { kind: one.do };
    case 'cancel':
      return { kind: 'cancel', actor: 'a', message: '' };
    case 'redrive':
      return { kind: 'redrive', actor: 'a' };
    case 'settle': {
      const token = life.head.fencingToken - (one.stale === true ? 1 : 0);
      return {
        kind: 'settle',
        token,
        outcome: one.outcome,
        resultBytes: 0,
        message: 'm',
        errorType: 'E',
        afterMs: 5,
        random: 0.5,
        counted: true,
      } as Command;
    }
    default:
      return undefined;
  }
}

function withoutWhatIsNoEvent(head: Head): unknown {
  const { revision, leaseEndAtMs, progress, waitUntilMs, handOver, ...rest } = head;
  return rest;
}

describe('the laws of a task’s life', () => {
  it('replay equals head, versions count events, and tokens only rise', () => {
    fc.assert(
      fc.property(deeds, fc.boolean(), fc.constantFrom('release', 'hold'), (run, inLane, onDead) => {
        const life = born({ retry: { maxAttempts: 3 } }, inLane, onDead);
        let nowMs = startMs;
        for (const { deed: one, afterMs } of run) {
          nowMs += afterMs;
          const before = life.head;
          if (one.do === 'ready') life.head = { ...life.head, waitUntilMs: undefined };
          if (one.do === 'handedOver') life.head = { ...life.head, handOver: false };
          const command = commandOf(life, one);
          if (command === undefined) continue;
          apply(life, command, nowMs);
          expect(life.head.fencingToken).toBeGreaterThanOrEqual(before.fencingToken);
          expect(life.head.version).toBe(life.events.length);
          expect(withoutWhatIsNoEvent(fold(life.events))).toEqual(withoutWhatIsNoEvent(life.head));
        }
      }),
      { numRuns: 400 },
    );
  });

  it('an end is final but for redrive and the skip', () => {
    fc.assert(
      fc.property(deeds, fc.boolean(), fc.constantFrom('release', 'hold'), (run, inLane, onDead) => {
        const life = born({ retry: { maxAttempts: 2 } }, inLane, onDead);
        let nowMs = startMs;
        for (const { deed: one, afterMs } of run) {
          nowMs += afterMs;
          const { head } = life;
          const command = commandOf(life, one);
          if (command === undefined) continue;
          apply(life, command, nowMs);
          if (!isEnded(head) || life.head.state === head.state) continue;
          const skipped = head.holdsLane && command.kind === 'cancel';
          expect(head.state === 'dead' && (command.kind === 'redrive' || skipped)).toBe(true);
        }
      }),
      { numRuns: 400 },
    );
  });

  it('a stale token changes nothing', () => {
    const life = born();
    apply(life, { kind: 'claim', worker: 'w1', leaseMs: 30_000, lowest: true }, startMs);
    const stale = life.head.fencingToken;
    apply(life, { kind: 'claim', worker: 'w2', leaseMs: 30_000, lowest: true }, startMs + 32_000);
    expect(life.head.fencingToken).toBeGreaterThan(stale);
    const before = life.head;
    for (const outcome of ['succeeded', 'failed', 'snoozed', 'released']) {
      const command = { ...commandOf(life, { do: 'settle', outcome }), token: stale } as Command;
      expect(apply(life, command, startMs + 33_000)).toMatchObject({
        ok: false,
        rejection: { why: 'leaseLost' },
      });
    }
    expect(life.head).toEqual(before);
  });

  it('a repeat of an outcome adds no event, another outcome for the same token is refused', () => {
    const life = born();
    apply(life, { kind: 'claim', worker: 'w', leaseMs: 30_000, lowest: true }, startMs);
    const token = life.head.fencingToken;
    const succeed: Command = { kind: 'settle', token, outcome: 'succeeded', resultBytes: 2 };
    apply(life, succeed, startMs + 1);
    expect(apply(life, succeed, startMs + 2)).toMatchObject({
      ok: true,
      events: [],
      recorded: { kind: 'succeeded' },
    });
    const snooze: Command = { kind: 'settle', token, outcome: 'snoozed', afterMs: 1 };
    expect(apply(life, snooze, startMs + 3)).toMatchObject({
      ok: false,
      rejection: { why: 'outcomeRecorded' },
    });
  });

  it('a claim is refused while the lease and its guard last, and takes over after', () => {
    const life = born();
    const claim: Command = { kind: 'claim', worker: 'w', leaseMs: 30_000, lowest: true };
    apply(life, claim, startMs);
    expect(apply(life, claim, startMs + 31_999)).toMatchObject({ ok: false, rejection: { why: 'leased' } });
    expect(apply(life, claim, startMs + 32_000)).toMatchObject({
      ok: true,
      events: [{ kind: 'leaseExpired' }, { kind: 'claimed', attempt: 2 }],
    });
  });

  it('the last attempt’s spent lease is the end', () => {
    const life = born({ retry: { maxAttempts: 1 } });
    const claim: Command = { kind: 'claim', worker: 'w', leaseMs: 30_000, lowest: true };
    apply(life, claim, startMs);
    apply(life, claim, startMs + 40_000);
    expect(life.head).toMatchObject({ state: 'dead', deadReason: 'attempts' });
  });

  it('a scheduled task is never claimed, however late it is: the sweep makes it ready first', () => {
    const life = born({ delayMs: 1_000 });
    const claim: Command = { kind: 'claim', worker: 'w', leaseMs: 30_000, lowest: true };
    expect(apply(life, claim, startMs + 5_000)).toMatchObject({ ok: false, rejection: { why: 'scheduled' } });
  });

  it('a success that arrives before the forced end wins over a cancellation; a failure becomes it', () => {
    for (const [outcome, state] of [
      ['succeeded', 'succeeded'],
      ['failed', 'cancelled'],
      ['cancelled', 'cancelled'],
    ] as const) {
      const life = born();
      apply(life, { kind: 'claim', worker: 'w', leaseMs: 30_000, lowest: true }, startMs);
      apply(life, { kind: 'cancel', actor: 'a', message: '' }, startMs + 1);
      apply(life, commandOf(life, { do: 'settle', outcome }) as Command, startMs + 2);
      expect(life.head.state).toBe(state);
    }
  });

  it('a dead task that holds its lane is redriven in place; from a released lane only after the hand-over', () => {
    const fatal = (life: Life): void => {
      apply(life, { kind: 'claim', worker: 'w', leaseMs: 30_000, lowest: true }, startMs);
      apply(life, commandOf(life, { do: 'settle', outcome: 'fatal' }) as Command, startMs + 1);
    };
    const held = born({}, true, 'hold');
    fatal(held);
    expect(held.head).toMatchObject({ state: 'dead', holdsLane: true, handOver: false });
    expect(apply(held, { kind: 'redrive', actor: 'a' }, startMs + 2).ok).toBe(true);
    const released = born({}, true, 'release');
    fatal(released);
    expect(apply(released, { kind: 'redrive', actor: 'a' }, startMs + 2)).toMatchObject({
      ok: false,
      rejection: { why: 'handOverPending' },
    });
  });

  it('the twenty-first release of a claim that never arrived counts as a failure', () => {
    const life = born();
    for (let i = 0; i <= 20; i++) {
      apply(life, { kind: 'claim', worker: 'w', leaseMs: 30_000, lowest: true }, startMs + i);
      apply(life, commandOf(life, { do: 'settle', outcome: 'released' }) as Command, startMs + i);
    }
    expect(life.head).toMatchObject({ retrying: true, attempt: 1 });
  });
});

describe('backoff', () => {
  it('is exponential with full jitter, never above its longest', () => {
    const policy = { maxAttempts: 9, baseMs: 1_000, factor: 2, maxMs: 300_000 };
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (attempt, random) => {
          const ms = backoffMs(policy, attempt, random);
          expect(ms).toBeGreaterThanOrEqual(1);
          expect(ms).toBeLessThanOrEqual(Math.min(300_000, 1_000 * 2 ** (attempt - 1)));
        },
      ),
    );
  });
});
