import type { Clock, Timekeeper, TimeSample } from '../ports/clock.ts';
import { coarseOffset } from './coarse-offset.ts';

export interface CorrectedClock extends Clock, Timekeeper {
  /**
   * How far the machine's clock is ahead of the clock of the service (AWS), in ms. It is undefined before the
   * first measurement.
   */
  readonly offsetMs: number | undefined;
  /** The number of fast responses that the offset is the median of, at most 20. It is 0 if all responses were slow. */
  readonly samples: number;
  /**
   * Whether the machine's clock is right enough for this node to sweep (to look for tasks whose time has
   * come). It becomes false if the offset exceeds 2 s plus the measuring error, and true again if the offset
   * is within 1.5 s plus that error.
   */
  readonly fit: boolean;
  /** Calls `changed` after each change of `fit`, and returns a function that removes the callback. */
  onFitness(changed: () => void): () => void;
}

const mostSamples = 20;
/**
 * The time in a response header is cut to whole seconds, so the service's clock is on average half a second
 * ahead of that time.
 */
const halfMs = 500;
/**
 * The longest time in ms that AWS may take to respond if the time in its response is to correct this clock exactly. A slower
 * response serves as an estimate until a faster one arrives.
 */
const longestResponseMs = 1_000;
/** The offset in ms above which the clock is corrected. A smaller offset may be a measuring error. */
const correctFromMs = 500;
/**
 * The correction of the clock ends if the offset falls below this fraction of the offset at which the correction
 * begins.
 */
const correctUntilFraction = 0.5;
const unfitFromMs = 2_000;
const fitUntilMs = 1_500;
/** How many responses in a row must contradict the median offset to replace it, as after the machine was suspended. */
const contradictions = 3;
const contradictsMs = 1_500;

/**
 * Returns a clock that is corrected by the times in a service's responses. The offset is the median of the fast
 * responses, or a coarse estimate if all responses are slow. The offset is kept relative to `monotonic`, so that a jump
 * of the machine's clock is noticed at once and does not move this clock.
 */
export function correctedClock(machine: Clock): CorrectedClock {
  let differences: number[] = [];
  let median = 0;
  let isCorrecting = false;
  let isFit = true;
  const listeners = new Set<() => void>();

  const coarse = coarseOffset();

  /** Returns the service's time and the offset of the machine's clock, or undefined before the first measurement. */
  function measured():
    | { readonly serverMs: number; readonly offsetMs: number; readonly errorMs: number }
    | undefined {
    const found = differences.length > 0 ? { differenceMs: median, errorMs: 0 } : coarse.estimate;
    if (found === undefined) return undefined;
    const serverMs = machine.monotonic() + found.differenceMs;
    return { serverMs, offsetMs: Math.round(machine.now() - serverMs), errorMs: found.errorMs };
  }

  function updateFitness(): boolean {
    const { offsetMs, errorMs } = measured() ?? { offsetMs: 0, errorMs: 0 };
    const before = isFit;
    isFit = Math.abs(offsetMs) <= (isFit ? unfitFromMs : fitUntilMs) + errorMs;
    if (isFit !== before) for (const changed of [...listeners]) changed();
    return isFit;
  }

  function addSample(sample: TimeSample): void {
    const { serverMs, requestedAtMs, receivedAtMs } = sample;
    if (receivedAtMs - requestedAtMs > longestResponseMs) {
      coarse.addSample(sample);
      updateFitness();
      return;
    }
    differences.push(serverMs + halfMs - (requestedAtMs + receivedAtMs) / 2);
    const last = differences.slice(-contradictions);
    const contradicted =
      last.length < differences.length && last.every((one) => Math.abs(one - median) > contradictsMs);
    differences = contradicted ? last : differences.slice(-mostSamples);
    median = medianOf(differences);
    updateFitness();
  }

  return {
    ...machine,
    now() {
      const found = measured();
      if (found === undefined) return machine.now();
      const fromMs = Math.max(correctFromMs, found.errorMs);
      isCorrecting = Math.abs(found.offsetMs) > (isCorrecting ? fromMs * correctUntilFraction : fromMs);
      return isCorrecting ? Math.round(found.serverMs) : machine.now();
    },
    addSample,
    get offsetMs() {
      return measured()?.offsetMs;
    },
    get samples() {
      return differences.length;
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

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}
