import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  lives,
  minuteMs,
  outcomes,
  type Step,
  settle,
  step,
  steps,
  type TaskLife,
} from '../../../test/fixtures/task-life.ts';
import { decide } from './decide.ts';
import { leaseExpiredAtMs } from './decision.ts';
import { fold } from './evolve.ts';
import { dueAtMs, type Head, isEnded } from './head.ts';

/**
 * Returns the part of a head that its events decide: without revision, end of the lease, the record of a heartbeat
 * that the handler was called, progress and cleared due entries.
 */
function foldedPart(head: Head): unknown {
  const { revision, leaseEndAtMs, begun, progress, waitUntilMs, handOver, ...rest } = head;
  return {
    ...rest,
    waitUntilMs: head.state === 'waiting' ? undefined : waitUntilMs,
    handOver: isEnded(head) ? undefined : handOver,
  };
}

/**
 * Runs the random steps of simulated tasks. Calls `check` after each step, with the simulated task and with
 * the task's head before the step.
 */
function always(check: (life: TaskLife, before: Head) => void, numRuns = 500): void {
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

describe('after any sequence of commands on a task', () => {
  it('the state computed from the task’s events equals the stored state', () => {
    always((life) => {
      expect(foldedPart(fold(life.events))).toEqual(foldedPart(life.head));
    });
  });

  it('the version is the number of events, and each claim raises the fencing token, which never falls', () => {
    always((life, before) => {
      expect(life.head.version).toBe(life.events.length);
      expect(life.head.fencingToken).toBeGreaterThanOrEqual(before.fencingToken);
      const claims = life.events
        .filter((event) => event.kind === 'claimed')
        .map((event) => event.fencingToken);
      expect(claims).toEqual([...new Set(claims)].sort((a, b) => a - b));
    });
  });

  it('no event is earlier than the one before it, although each is decided by another clock', () => {
    const hourMs = 3_600_000;
    const jumpMs = fc.oneof(
      fc.integer({ min: -20_000, max: 20_000 }),
      fc.integer({ min: -hourMs, max: hourMs }),
    );
    fc.assert(
      fc.property(lives, fc.array(fc.tuple(step, jumpMs), { maxLength: 40, size: 'max' }), (life, run) => {
        for (const [one, ms] of run) {
          const before = life.events.length;
          one(life.later(ms));
          const times = life.events.map(({ atMs }) => atMs);
          expect(times).toEqual(times.toSorted((a, b) => a - b));
          expect(life.head.lastEventAtMs).toBe(times.at(-1));
          const [last] = life.events.slice(before).toReversed();
          // Leases and waits count from the clock of the node that decides, whatever time its event has.
          if (last?.kind === 'claimed') {
            expect(life.head.leaseEndAtMs).toBe(
              life.nowMs + Math.min(30_000, last.timeoutAtMs - 1 - life.nowMs),
            );
            expect(last.timeoutAtMs).toBeGreaterThanOrEqual(life.nowMs + life.facts.options.attemptTimeoutMs);
          }
          if (last?.kind === 'snoozed') expect(last.runAtMs).toBe(life.nowMs + minuteMs);
          if (last?.kind === 'redriven') expect(life.head.waitUntilMs).toBe(life.nowMs);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('the end of a task is final, except for a redrive, and the skip or the release of a dead task that blocks its lane', () => {
    always((life, before) => {
      if (!isEnded(before) || life.head.version === before.version) return;
      expect(before.state).toBe('dead');
      const last = life.events.at(-1)?.kind;
      const frees = last === 'cancelled' || last === 'laneReleased';
      expect(last === 'redriven' || (frees && before.holdsLane)).toBe(true);
    });
  });

  it('a settlement with a stale fencing token changes nothing', () => {
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

  it('an expire command on an older revision changes nothing, and on the current revision it ends an expired lease', () => {
    const ran = { refused: 0, renewed: 0, written: 0 };
    const heartbeat: Step = (life) => void life.heartbeat();
    const since = fc.array(fc.tuple(fc.oneof(fc.constant(heartbeat), step), fc.nat(40_000)), {
      maxLength: 2,
    });
    fc.assert(
      fc.property(lives, fc.array(step, { maxLength: 4 }), since, fc.nat(40_000), (life, first, then, ms) => {
        for (const one of first) one(life);
        life.claim();
        const read = life.head;
        for (const [one, afterMs] of then) one(life.later(afterMs));
        life.later(ms);
        const { head, nowMs } = life;
        const events = [...life.events];
        const expired = life.doOnRead(read, { kind: 'expire' });
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
        // A heartbeat changes neither fencing token nor version: only the revision shows that the lease was renewed.
        if (head.fencingToken === read.fencingToken && head.version === read.version) ran.renewed++;
      }),
      { numRuns: 2_000 },
    );
    expect(Object.entries(ran).filter(([, times]) => times < 10)).toEqual([]);
  });

  it('a repeated settlement, however late, adds no event and returns the recorded event', () => {
    fc.assert(
      fc.property(lives, fc.constantFrom(...outcomes), steps, steps, (life, outcome, before, then) => {
        for (const step of before) step(life);
        const fencingToken = life.head.fencingToken;
        const first = life.settle(outcome);
        if (!first.ok) return;
        const recorded = first.recorded ?? first.events.at(-1);
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

  it('only a running task has a lease, which never ends after the attempt’s timeout', () => {
    always((life) => {
      const { state, leaseEndAtMs, timeoutAtMs } = life.head;
      if (state === 'running') expect(leaseEndAtMs).toBeLessThanOrEqual(timeoutAtMs ?? 0);
      else expect([leaseEndAtMs, timeoutAtMs]).toEqual([undefined, undefined]);
    });
  });

  it('no attempt begins beyond the allowed number', () => {
    always((life) => {
      expect(life.head.attempt).toBeLessThanOrEqual(life.facts.options.retry.maxAttempts);
      expect(life.head.attempt).toBeGreaterThanOrEqual(0);
    });
  });

  it('an attempt is used only if it was settled as failed or reached its timeout', () => {
    always((life, before) => {
      const last = life.events.at(-1);
      if (last?.kind !== 'failed' && last?.kind !== 'died' && life.head.state !== 'running')
        expect(life.head.attempt).toBeLessThanOrEqual(
          before.state === 'running' && last?.kind !== 'succeeded' && last?.kind !== 'cancelled'
            ? before.attempt - 1
            : before.attempt,
        );
    });
  });

  it('a task dies of lost workers only after a loss while it ran alone, or if it may be tried only once', () => {
    const lose: Step = (life) => {
      life.madeReady().claim();
      return life.later(40_000).expire();
    };
    const report: Step = (life) => {
      life.madeReady().claim();
      return life.settle('lost');
    };
    const mostlyLost = fc.array(fc.oneof({ weight: 2, arbitrary: fc.constantFrom(lose, report) }, step), {
      maxLength: 12,
    });
    let died = 0;
    fc.assert(
      fc.property(lives, mostlyLost, (life, run) => {
        for (const one of run) {
          one(life);
          if (life.head.deadReason !== 'workerLost') continue;
          died++;
          const lost = life.events.findLast((event) => event.kind === 'leaseExpired');
          const { retry, maxLosses } = life.facts.options;
          if (retry.maxAttempts === 1) continue;
          expect(lost).toMatchObject({ alone: true, countsAsLoss: true });
          expect(life.head.losses).toBeGreaterThanOrEqual(maxLosses);
        }
      }),
      { numRuns: 1_000 },
    );
    expect(died).toBeGreaterThan(50);
  });

  it('a task with one attempt is not claimed again after its handler was called, unless it was snoozed or redriven', () => {
    always((life, before) => {
      if (life.facts.options.retry.maxAttempts > 1 || !before.begun || before.state !== 'running') return;
      const last = life.events.at(-1)?.kind;
      if (life.head.state === 'waiting') expect(['snoozed', 'claimReleased']).toContain(last);
      else if (life.head.state === 'running') expect(life.head.fencingToken).toBe(before.fencingToken);
    }, 1_000);
  });

  it('a task has a due entry exactly if it waits for a time or the next task of its lane must be dispatched', () => {
    always((life) => {
      const { state, waitUntilMs, deadlineAtMs, lifetimeEndAtMs, handOver } = life.head;
      const waitsFor = [waitUntilMs, deadlineAtMs, lifetimeEndAtMs].some((time) => time !== undefined);
      expect(dueAtMs(life.head) !== undefined).toBe(state === 'waiting' ? waitsFor : handOver);
    });
  });
});
