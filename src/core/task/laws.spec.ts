import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Life, lives, outcomes, type Step, settle, step, steps } from '../../../test/fixtures/life.ts';
import { decide } from './decide.ts';
import { leaseExpiredAtMs } from './decision.ts';
import { fold } from './evolve.ts';
import { dueAtMs, type Head, isEnded } from './head.ts';

/** What no event tells: writes counted, the lease's end, progress, and that the loops cleared a due entry. */
function toldByEvents(head: Head): unknown {
  const { revision, leaseEndAtMs, progress, waitUntilMs, handOver, ...rest } = head;
  return {
    ...rest,
    waitUntilMs: head.state === 'waiting' ? undefined : waitUntilMs,
    handOver: isEnded(head) ? undefined : handOver,
  };
}

/** Runs any life; `check` sees the head before a step and the life after it. */
function always(check: (life: Life, before: Head) => void, numRuns = 500): void {
  fc.assert(
    fc.property(lives, steps, (life, run) => {
      for (const step of run) {
        const before = life.head;
        step(life);
        check(life, before);
      }
    }),
    { numRuns },
  );
}

describe('the laws of a task’s life', () => {
  it('replay equals head', () => {
    always((life) => {
      expect(toldByEvents(fold(life.events))).toEqual(toldByEvents(life.head));
    });
  });

  it('the version counts events, tokens only rise, and each claim raises the token', () => {
    always((life, before) => {
      expect(life.head.version).toBe(life.events.length);
      expect(life.head.fencingToken).toBeGreaterThanOrEqual(before.fencingToken);
      const claims = life.events
        .filter((event) => event.kind === 'claimed')
        .map((event) => event.fencingToken);
      expect(claims).toEqual([...new Set(claims)].sort((a, b) => a - b));
    });
  });

  it('an end is final but for redrive and the skip of a dead task that holds its lane', () => {
    always((life, before) => {
      if (!isEnded(before) || life.head.version === before.version) return;
      expect(before.state).toBe('dead');
      const last = life.events.at(-1)?.kind;
      expect(last === 'redriven' || (last === 'cancelled' && before.holdsLane)).toBe(true);
    });
  });

  it('a stale token changes nothing, whatever it tells', () => {
    always((life) => {
      const { head, facts, nowMs } = life;
      for (const outcome of outcomes) {
        for (const fencingToken of [head.fencingToken - 1, head.fencingToken + 1, 0]) {
          if (fencingToken === head.fencingToken) continue;
          const decision = decide(head, facts, settle(outcome, fencingToken), nowMs);
          if (decision.ok) expect(decision).toMatchObject({ events: [], head });
        }
      }
    }, 200);
  });

  it('an expiry conditional on an older revision changes nothing, and any other ends a lease that is spent', () => {
    const ran = { refused: 0, renewed: 0, written: 0 };
    const beat: Step = (life) => void life.beat();
    const since = fc.array(fc.tuple(fc.oneof(fc.constant(beat), step), fc.nat(40_000)), { maxLength: 2 });
    fc.assert(
      fc.property(lives, fc.array(step, { maxLength: 4 }), since, fc.nat(40_000), (life, first, then, ms) => {
        for (const one of first) one(life);
        life.claim();
        const read = life.head;
        for (const [one, afterMs] of then) one(life.later(afterMs));
        life.later(ms);
        const { head, nowMs } = life;
        const events = [...life.events];
        const expired = life.doOn(read, { kind: 'expire' });
        if (expired) {
          ran.written++;
          expect(head).toBe(read);
          expect(nowMs).toBeGreaterThanOrEqual(leaseExpiredAtMs(head));
          return;
        }
        expect([life.head, life.events]).toEqual([head, events]);
        if (head.revision === read.revision || !decide(read, life.facts, { kind: 'expire' }, nowMs).ok)
          return;
        ran.refused++;
        // A heartbeat leaves token and version as they were: only the revision tells that the lease goes on.
        if (head.fencingToken === read.fencingToken && head.version === read.version) ran.renewed++;
      }),
      { numRuns: 2_000 },
    );
    expect(Object.entries(ran).filter(([, times]) => times < 10)).toEqual([]);
  });

  it('an outcome told again, however late, adds no event and is answered with what was recorded', () => {
    fc.assert(
      fc.property(lives, fc.constantFrom(...outcomes), steps, steps, (life, outcome, first, then) => {
        for (const step of first) step(life);
        const fencingToken = life.head.fencingToken;
        const told = life.settle(outcome);
        if (!told.ok) return;
        const recorded = told.recorded ?? told.events.at(-1);
        for (const step of then) step(life);
        expect(life.settle(outcome, fencingToken)).toEqual({
          ok: true,
          events: [],
          head: life.head,
          recorded,
        });
      }),
      { numRuns: 1_000 },
    );
  });

  it('a repeated cancel or redrive adds no event', () => {
    always((life) => {
      for (const kind of ['cancel', 'redrive'] as const) {
        const first = life[kind]();
        if (!first.ok || first.events.length === 0) continue;
        expect(life[kind]()).toMatchObject({ ok: true, events: [], head: life.head });
      }
    }, 100);
  });

  it('only a running task has a lease, and never past the end of its attempt', () => {
    always((life) => {
      const { state, leaseEndAtMs, timeoutAtMs } = life.head;
      if (state === 'running') expect(leaseEndAtMs).toBeLessThanOrEqual(timeoutAtMs ?? 0);
      else expect([leaseEndAtMs, timeoutAtMs]).toEqual([undefined, undefined]);
    });
  });

  it('no attempt is begun beyond the most allowed', () => {
    always((life) => {
      expect(life.head.attempt).toBeLessThanOrEqual(life.facts.options.retry.maxAttempts);
      expect(life.head.attempt).toBeGreaterThanOrEqual(0);
    });
  });

  it('what waits for a time has a due entry, and what is ready, running or over and handed on has none', () => {
    always((life) => {
      const { state, waitUntilMs, deadlineAtMs, lifetimeEndAtMs, handOver } = life.head;
      const waitsFor = [waitUntilMs, deadlineAtMs, lifetimeEndAtMs].some((time) => time !== undefined);
      expect(dueAtMs(life.head) !== undefined).toBe(state === 'waiting' ? waitsFor : handOver);
    });
  });
});
