import type { TimeSample } from '../ports/clock.ts';

/** The range of the difference between another clock and this process's `monotonic`, in ms. */
interface Bounds {
  readonly low: number;
  readonly high: number;
}

export interface CoarseOffset {
  addSample(sample: TimeSample): void;
  /**
   * The other clock minus `monotonic`, and the largest error of this difference, both in ms. It is undefined before the
   * first sample.
   */
  readonly estimate: { readonly differenceMs: number; readonly errorMs: number } | undefined;
}

const secondMs = 1_000;
/**
 * How many time samples in a row must contradict the earlier samples before the new samples replace the
 * earlier ones. This happens after the machine was suspended, or if the first sample was wrong.
 */
const contradictions = 3;

/**
 * Estimates the offset of a clock from responses that took too long to be exact. Each response gives a range for the
 * offset, as wide as the duration of the response plus a second, because the time in the header has whole seconds. The
 * estimate is the middle of the intersection of all ranges.
 */
export function coarseOffset(): CoarseOffset {
  let agreed: Bounds | undefined;
  let contradicted = 0;
  return {
    addSample({ serverMs, requestedAtMs, receivedAtMs }) {
      const bounds: Bounds = { low: serverMs - receivedAtMs, high: serverMs + secondMs - requestedAtMs };
      const both = agreed && intersection(agreed, bounds);
      contradicted = agreed !== undefined && both === undefined ? contradicted + 1 : 0;
      if (contradicted > 0 && contradicted < contradictions) return;
      contradicted = 0;
      agreed = both ?? bounds;
    },
    get estimate() {
      if (agreed === undefined) return undefined;
      const { low, high } = agreed;
      return { differenceMs: (low + high) / 2, errorMs: (high - low) / 2 };
    },
  };
}

function intersection(one: Bounds, other: Bounds): Bounds | undefined {
  const low = Math.max(one.low, other.low);
  const high = Math.min(one.high, other.high);
  return low <= high ? { low, high } : undefined;
}
