/** One task's life, driven by commands through `decide`, for specs of the core. */
import fc from 'fast-check';
import { noOptions } from '../../src/core/codec/options.ts';
import type { Command, Decision, Settle } from '../../src/core/command.ts';
import { decide } from '../../src/core/decide.ts';
import type { Facts } from '../../src/core/decision.ts';
import type { TaskEvent } from '../../src/core/event.ts';
import { fold } from '../../src/core/evolve.ts';
import type { Head } from '../../src/core/head.ts';
import { renew } from '../../src/core/renew.ts';
import { expiry, type OptionsRequest, resolveOptions, submittedEvent } from '../../src/core/submission.ts';

export const startMs = 1_764_000_000_000;
export const minuteMs = 60_000;
export const dayMs = 86_400_000;

export interface Setting {
  readonly inLane?: boolean;
  readonly onDead?: 'release' | 'hold';
}

export class Life {
  head: Head;
  readonly events: TaskEvent[];
  readonly facts: Facts;
  nowMs = startMs;

  constructor(asked: Partial<OptionsRequest> = {}, { inLane = false, onDead = 'release' }: Setting = {}) {
    const options = resolveOptions({ ...noOptions, ...asked }, startMs);
    this.events = [submittedEvent(options, startMs, inLane ? 'lane' : undefined)];
    this.head = fold(this.events);
    this.facts = {
      options,
      acceptedAtMs: startMs,
      expiresAtMs: expiry(options, startMs),
      onDead,
      tip: this.events,
    };
  }

  later(ms: number): this {
    this.nowMs += ms;
    return this;
  }

  do(command: Command): Decision {
    const decision = decide(this.head, this.facts, command, this.nowMs);
    if (decision.ok && decision.events.length > 0) {
      this.#write(decision.head);
      this.events.push(...decision.events);
    }
    return decision;
  }

  /** Decides on a head as somebody read it, and writes only where its revision still stands: whether it was written. */
  doOn(read: Head, command: Command): boolean {
    const decision = decide(read, this.facts, command, this.nowMs);
    if (!decision.ok || decision.events.length === 0 || this.head.revision !== read.revision) return false;
    this.#write(decision.head);
    this.events.push(...decision.events);
    return true;
  }

  /** A heartbeat of the lease's holder; no event. */
  beat(): void {
    const beat = { token: this.head.fencingToken, leaseMs: 30_000, progress: undefined };
    const renewal = renew(this.head, this.facts, beat, this.nowMs);
    if (renewal.verdict === 'renewed') this.#write({ ...this.head, leaseEndAtMs: renewal.leaseEndAtMs });
  }

  /** As every store does: the revision counts writes. */
  #write(head: Head): void {
    this.head = { ...head, revision: this.head.revision + 1 };
  }

  claim(lowest = true): Decision {
    return this.do({ kind: 'claim', worker: 'w', leaseMs: 30_000, lowest });
  }

  /** By the holder of the lease, unless another token is named. */
  settle(outcome: Settle['outcome'], token: number = this.head.fencingToken): Decision {
    return this.do(settle(outcome, token));
  }

  cancel(): Decision {
    return this.do({ kind: 'cancel', actor: 'operator', message: 'not wanted' });
  }

  redrive(): Decision {
    return this.do({ kind: 'redrive', actor: 'operator' });
  }

  /** What the sweep does after it rang; no event. */
  madeReady(): this {
    this.#write({ ...this.head, waitUntilMs: undefined });
    return this;
  }

  /** What the hand-over does at its end; no event. */
  handedOver(): this {
    this.#write({ ...this.head, handOver: false });
    return this;
  }
}

export function settle(outcome: Settle['outcome'], token: number): Settle {
  const base = { kind: 'settle', token } as const;
  switch (outcome) {
    case 'succeeded':
      return { ...base, outcome, resultBytes: 2 };
    case 'snoozed':
      return { ...base, outcome, afterMs: minuteMs };
    case 'released':
      return { ...base, outcome, counted: true, random: 0.5 };
    default:
      return { ...base, outcome, message: 'no luck', errorType: 'Oops', afterMs: undefined, random: 0.5 };
  }
}

export const outcomes = ['succeeded', 'failed', 'fatal', 'snoozed', 'released', 'cancelled'] as const;

/** One step of a life, and how much time passes before it. */
export type Step = (life: Life) => Decision | undefined;

/** Mostly none or little, sometimes a lease or a lifetime, and now and then a clock that goes back. */
const passedMs = fc.oneof(
  { weight: 20, arbitrary: fc.constant(0) },
  { weight: 10, arbitrary: fc.integer({ min: 1, max: 40_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: -2_000, max: -1 }) },
  { weight: 1, arbitrary: fc.integer({ min: minuteMs, max: 15 * dayMs }) },
);
const deed: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.nat(4).map((one) => (life: Life) => life.claim(one > 0)) },
  { weight: 5, arbitrary: fc.constantFrom(...outcomes).map((one) => (life: Life) => life.settle(one)) },
  fc.tuple(fc.constantFrom(...outcomes), fc.nat(3)).map(
    ([one, older]) =>
      (life: Life) =>
        life.settle(one, life.head.fencingToken - older),
  ),
  fc.constantFrom<Step>(
    (life) => life.do({ kind: 'expire' }),
    (life) => life.do({ kind: 'lapse' }),
    (life) => life.cancel(),
    (life) => life.redrive(),
  ),
  fc.constantFrom<Step>(
    (life) => void life.beat(),
    (life) => void life.madeReady(),
    (life) => void life.handedOver(),
  ),
);
export const step: fc.Arbitrary<Step> = fc.tuple(deed, passedMs).map(
  ([one, afterMs]) =>
    (life) =>
      one(life.later(afterMs)),
);

export const steps = fc.array(step, { maxLength: 40, size: 'max' });

export const lives: fc.Arbitrary<Life> = fc
  .record({
    asked: fc.record({
      delayMs: fc.option(fc.integer({ min: 1, max: minuteMs }), { nil: undefined }),
      deadlineAtMs: fc.option(fc.integer({ min: startMs + 1, max: startMs + 5 * minuteMs }), {
        nil: undefined,
      }),
      lifetimeMs: fc.option(fc.integer({ min: 1, max: 5 * minuteMs }), { nil: undefined }),
      retry: fc.record({ maxAttempts: fc.integer({ min: 1, max: 4 }) }),
      attemptTimeoutMs: fc.constantFrom(20_000, 5 * minuteMs),
    }),
    inLane: fc.boolean(),
    onDead: fc.constantFrom('release' as const, 'hold' as const),
  })
  .map(({ asked, ...setting }) => new Life(asked, setting));
