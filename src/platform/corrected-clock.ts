import type { Clock, Timekeeper } from '../ports/clock.ts';
import { type Bounds, offsetBounds } from './offset-bounds.ts';
import { SteadyTime } from './steady-time.ts';

export interface CorrectedClock extends Clock, Timekeeper {
  /**
   * How far the machine's clock is ahead of the clock of the service (AWS), in ms: the middle of the range that the
   * responses allow. It is undefined before the first measurement.
   */
  readonly offsetMs: number | undefined;
  /** The largest error of `offsetMs`, in ms. It is undefined before the first measurement. */
  readonly errorMs: number | undefined;
  /**
   * Whether the machine's clock is right enough for this node to sweep (to look for tasks whose time has come) and to give
   * out leases. It becomes false if the machine's clock, or this one, is surely more than 2 s off, and true again once both
   * may be within 1.5 s.
   */
  readonly fit: boolean;
  /** Calls `changed` after each change of `fit`, and returns a function that removes the callback. */
  onFitness(changed: () => void): () => void;
}

const unfitFromMs = 2_000;
const fitUntilMs = 1_500;
/** The difference in ms up to which two readings of the machine's clock count as equal: one of the readings has no fractions. */
const readingMs = 2;

/**
 * Returns a clock that is corrected by the times in a service's responses. The responses give bounds for the offset, as
 * narrow as their durations allow. The clock follows the machine's clock as long as that is within the bounds, so that a
 * right clock is never moved, and otherwise goes to the nearest bound. The bounds are relative to `monotonic`, so that a
 * jump of the machine's clock is noticed at once and not followed. The clock never goes back (`SteadyTime`).
 */
export function correctedClock(machine: Clock): CorrectedClock {
  const bounds = offsetBounds();
  const steady = new SteadyTime();
  /** The difference of this clock from `monotonic`, in ms. */
  let differenceMs: number | undefined;
  let isFit = true;
  const listeners = new Set<() => void>();

  function nextDifferenceMs(monotonicMs: number): number {
    const own = machine.now() - monotonicMs;
    const allowed = bounds.at(monotonicMs);
    const before = differenceMs ?? own;
    if (allowed === undefined || beyondMs(own, allowed) === 0)
      return Math.abs(own - before) < readingMs ? before : own;
    return Math.min(Math.max(before, allowed.low), allowed.high);
  }

  function now(): number {
    const monotonicMs = machine.monotonic();
    differenceMs = nextDifferenceMs(monotonicMs);
    return steady.at(monotonicMs, differenceMs);
  }

  function measured(): { readonly offsetMs: number; readonly errorMs: number } | undefined {
    const monotonicMs = machine.monotonic();
    const allowed = bounds.at(monotonicMs);
    if (allowed === undefined) return undefined;
    const { low, high } = allowed;
    return {
      offsetMs: Math.round(machine.now() - monotonicMs - (low + high) / 2),
      errorMs: Math.ceil((high - low) / 2),
    };
  }

  function updateFitness(): boolean {
    now();
    const monotonicMs = machine.monotonic();
    const allowed = bounds.at(monotonicMs);
    const offMs = allowed === undefined ? 0 : beyondMs(machine.now() - monotonicMs, allowed);
    const before = isFit;
    isFit = Math.max(offMs, steady.leadMs(monotonicMs)) <= (isFit ? unfitFromMs : fitUntilMs);
    if (isFit !== before) for (const changed of [...listeners]) changed();
    return isFit;
  }

  return {
    ...machine,
    now,
    addSample(sample) {
      bounds.addSample(sample);
      updateFitness();
    },
    get offsetMs() {
      return measured()?.offsetMs;
    },
    get errorMs() {
      return measured()?.errorMs;
    },
    get fit() {
      return updateFitness();
    },
    onFitness(changed) {
      listeners.add(changed);
      return () => listeners.delete(changed);
    },
  };
}

/** Returns by how many ms a difference is outside of its bounds. */
function beyondMs(differenceMs: number, { low, high }: Bounds): number {
  return Math.max(0, low - differenceMs, differenceMs - high);
}
