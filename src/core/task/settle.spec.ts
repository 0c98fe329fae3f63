import { describe, expect, it } from 'vitest';
import { minuteMs, outcomes, settle, startMs, TaskLife } from '../../../test/fixtures/task-life.ts';
import { fold } from './evolve.ts';

const kinds = (decision: ReturnType<TaskLife['do']>) =>
  decision.ok ? decision.events.map((event) => event.kind) : decision.rejection;

function running(...args: ConstructorParameters<typeof TaskLife>): TaskLife {
  const life = new TaskLife(...args);
  life.claim();
  return life;
}

/** Lets the task lose a worker that had begun it. */
function lose(life: TaskLife): void {
  life.claim();
  life.settle('lost');
}

describe('a settlement', () => {
  it('of a failure records the time of the next attempt, as the retry policy or the worker sets it', () => {
    const life = running();
    life.settle('failed');
    expect(life.head).toMatchObject({ state: 'waiting', retrying: true, waitUntilMs: startMs + 500 });
    const other = running();
    other.do({ ...settle('failed', other.head.fencingToken), afterMs: 7 } as never);
    expect(other.head).toMatchObject({ waitUntilMs: startMs + 7, lastError: 'no luck' });
  });

  it('of a failure of the last attempt, or of a fatal failure, ends the task', () => {
    const last = running({ retry: { maxAttempts: 1 } });
    last.settle('failed');
    expect(last.head).toMatchObject({ state: 'dead', deadReason: 'attempts' });
    const fatal = running();
    fatal.settle('fatal');
    expect(fatal.head).toMatchObject({ state: 'dead', deadReason: 'fatal' });
  });

  it('of a snooze uses up no attempt', () => {
    const life = running();
    life.settle('snoozed');
    expect(life.head).toMatchObject({ attempt: 0, waitUntilMs: startMs + minuteMs, retrying: false });
  });

  it('of a release uses no attempt, and backs off after twenty releases, at most 5 min', () => {
    const life = new TaskLife();
    const waits: number[] = [];
    for (let i = 0; i < 40; i++) {
      life.madeReady().claim();
      expect(kinds(life.settle('released'))).toEqual(['claimReleased']);
      expect(life.head).toMatchObject({ state: 'waiting', retrying: false, attempt: 0, releases: i + 1 });
      waits.push((life.head.waitUntilMs ?? life.nowMs) - life.nowMs);
    }
    expect(waits.slice(0, 20)).toEqual(Array.from({ length: 20 }, () => 0));
    expect(waits.slice(20, 24)).toEqual([1_000, 2_000, 4_000, 8_000]);
    expect(Math.max(...waits)).toBe(300_000);
  });

  it('of a release of a task that may be tried once ends the task if its handler was called, else the task waits', () => {
    const release = (begun: boolean) => {
      const life = running({ retry: { maxAttempts: 1 } });
      const { fencingToken } = life.head;
      return life.do({ kind: 'settle', fencingToken, outcome: 'released', begun, countsAsRelease: false });
    };
    expect(release(true)).toMatchObject({ head: { state: 'dead', deadReason: 'workerLost' } });
    expect(release(false)).toMatchObject({ head: { state: 'waiting', attempt: 0 } });
  });

  it('of a release that does not count towards the release limit never uses up an attempt', () => {
    const life = new TaskLife();
    for (let i = 0; i < 30; i++) {
      life.claim();
      const fencingToken = life.head.fencingToken;
      life.do({ kind: 'settle', fencingToken, outcome: 'released', countsAsRelease: false, begun: false });
    }
    expect(life.head).toMatchObject({ state: 'waiting', attempt: 0, releases: 0 });
  });

  it('of a task that waited in vain to run alone backs off at each release, so that its worker can go on', () => {
    const life = new TaskLife();
    for (let i = 0; i < 2; i++) lose(life);
    const waits: number[] = [];
    for (let i = 0; i < 7; i++) {
      life.madeReady().claim(true, false);
      life.later(59_000).settle('released');
      expect(life.head).toMatchObject({ state: 'waiting', attempt: 0, losses: 2, releases: i + 1 });
      waits.push((life.head.waitUntilMs ?? life.nowMs) - life.nowMs);
    }
    expect(waits).toEqual([10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
  });

  it('of a task that must run alone, before its worker has kept it for nearly 60 s, does not back off', () => {
    const life = new TaskLife();
    for (let i = 0; i < 2; i++) lose(life);
    for (let i = 0; i < 7; i++) {
      life.madeReady().claim(true, false);
      const { fencingToken } = life.head;
      life.later(57_000);
      life.do({ kind: 'settle', fencingToken, outcome: 'released', begun: false, countsAsRelease: false });
      expect(life.head).toMatchObject({ state: 'waiting', waitUntilMs: undefined, releases: 0, losses: 2 });
    }
  });

  it('of a task that ran alone and was released at the end of a drain does not back off', () => {
    const life = new TaskLife();
    for (let i = 0; i < 2; i++) lose(life);
    life.claim();
    const { fencingToken } = life.head;
    life.do({ kind: 'settle', fencingToken, outcome: 'released', begun: true, countsAsRelease: false });
    expect(life.head).toMatchObject({ state: 'waiting', waitUntilMs: undefined, releases: 0, losses: 2 });
  });

  it('of a lost process counts a loss at once, and uses no attempt', () => {
    const life = running();
    expect(kinds(life.settle('lost'))).toEqual(['leaseExpired']);
    expect(life.events.at(-1)).toMatchObject({ begun: 'yes', alone: false, countsAsLoss: true });
    expect(life.head).toMatchObject({ state: 'waiting', waitUntilMs: undefined, attempt: 0, losses: 1 });
  });

  it('of a lost process ends the task at its third loss, and says how the process ended', () => {
    const life = new TaskLife();
    for (const alone of [false, false, true]) {
      life.claim();
      life.settle('lost');
      expect(life.events.findLast((event) => event.kind === 'leaseExpired')).toMatchObject({ alone });
    }
    expect(life.head).toMatchObject({ state: 'dead', deadReason: 'workerLost', losses: 3, attempt: 0 });
    expect(life.head.lastError).toBe(
      "lost 3 workers, the last one, 'w', while it ran nothing else (exit code 1)",
    );
    expect(life.settle('lost', life.head.fencingToken)).toMatchObject({ ok: true, events: [] });
  });

  it('of a lost process lets a task that ran alone and may have further losses wait for a growing time', () => {
    const life = new TaskLife({ maxLosses: 5 });
    const waits = [0, 1, 2, 3].map(() => {
      life.madeReady().claim();
      life.settle('lost');
      return (life.head.waitUntilMs ?? life.nowMs) - life.nowMs;
    });
    expect(waits).toEqual([0, 0, 10_000, 20_000]);
  });

  it('of a lost process ends a task that may be tried only once', () => {
    const life = running({ retry: { maxAttempts: 1 } });
    expect(kinds(life.settle('lost'))).toEqual(['leaseExpired', 'died']);
    expect(life.head).toMatchObject({ state: 'dead', deadReason: 'workerLost' });
  });

  it('of a cancellation that was not requested is refused', () => {
    expect(kinds(running().settle('cancelled'))).toEqual({ why: 'noCancelRequested' });
  });

  it('of a success wins over a requested cancellation and a passed deadline; any other outcome does not', () => {
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

describe('a repeated settlement', () => {
  it('adds no event if a cancellation had replaced its outcome', () => {
    for (const outcome of outcomes) {
      const life = running();
      life.cancel();
      const fencingToken = life.head.fencingToken;
      life.settle(outcome);
      expect(life.settle(outcome, fencingToken)).toMatchObject({ ok: true, events: [] });
    }
  });

  it('of a release adds no event if an older version counted the release as a failure', () => {
    const life = running();
    const { fencingToken } = life.head;
    const failed = { kind: 'failed', atMs: startMs, fencingToken, retryAtMs: startMs, message: '' } as const;
    life.events.push({ ...failed, errorType: 'ReleaseLimit' });
    life.head = fold(life.events);
    expect(life.settle('released')).toMatchObject({ ok: true, events: [], recorded: { kind: 'failed' } });
  });

  it('with another outcome is refused, and the refusal contains the recorded event', () => {
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

  it('with success is refused after the attempt was recorded as cancelled', () => {
    const life = running();
    life.cancel();
    life.settle('failed');
    expect(kinds(life.settle('succeeded'))).toMatchObject({ why: 'outcomeRecorded' });
  });

  it('is refused and changes nothing after another worker has claimed the task', () => {
    const life = running();
    const stale = life.head.fencingToken;
    life.later(32_000).claim();
    const { head } = life;
    for (const outcome of outcomes) {
      // The expiry of the lease has recorded the loss already.
      const answer = outcome === 'lost' ? [] : { why: 'leaseLost' };
      expect(kinds(life.settle(outcome, stale))).toEqual(answer);
    }
    expect(life.head).toBe(head);
  });

  it('is refused if the expiry of its lease has ended the task', () => {
    const life = running({ retry: { maxAttempts: 1 } });
    life.later(32_000).do({ kind: 'expire' });
    expect(kinds(life.settle('failed'))).toEqual({ why: 'leaseLost' });
  });
});
