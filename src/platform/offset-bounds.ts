import type { TimeSample } from '../ports/clock.ts';

/** The range of the difference between another clock and this process's `monotonic`, in ms. */
export interface Bounds {
  readonly low: number;
  readonly high: number;
}

export interface OffsetBounds {
  addSample(sample: TimeSample): void;
  /** Returns the bounds at this time of `monotonic`, or undefined before the first sample. */
  at(monotonicMs: number): Bounds | undefined;
}

const secondMs = 1_000;
/** By how many ms the two clocks may drift apart in a ms: the quickest at which time services adjust a clock. */
const driftRate = 0.000_5;
/**
 * How many time samples in a row must contradict the earlier samples, and agree with each other, before they replace the
 * earlier ones. This happens after the machine was suspended, or if the earlier samples were wrong.
 */
const contradictions = 3;

/**
 * Keeps the range in which the offset of another clock must lie by its responses. The other clock was read at some time
 * between the request and the response, and the response has whole seconds, so each response gives a range as wide as the
 * time that it took, plus a second. The bounds are the intersection of all ranges: many quick responses make them narrow,
 * and slow ones do no harm. They grow with time by the drift that is possible.
 */
export function offsetBounds(): OffsetBounds {
  let agreed: Bounds | undefined;
  let agreedAtMs = 0;
  /** The intersection of the samples that contradict `agreed`, and how many there are. */
  let contrary: Bounds | undefined;
  let contradicted = 0;

  function at(monotonicMs: number): Bounds | undefined {
    if (agreed === undefined) return undefined;
    const driftMs = Math.max(0, monotonicMs - agreedAtMs) * driftRate;
    return { low: agreed.low - driftMs, high: agreed.high + driftMs };
  }

  function agree(bounds: Bounds, atMs: number): void {
    agreed = bounds;
    agreedAtMs = atMs;
    contrary = undefined;
    contradicted = 0;
  }

  return {
    at,
    addSample({ serverMs, requestedAtMs, receivedAtMs }) {
      const bounds: Bounds = { low: serverMs - receivedAtMs, high: serverMs + secondMs - requestedAtMs };
      // A response without a readable time, or one that arrived before its request, says nothing.
      if (!(bounds.low < bounds.high && receivedAtMs >= requestedAtMs)) return;
      const earlier = at(receivedAtMs);
      const both = earlier === undefined ? bounds : intersection(earlier, bounds);
      if (both !== undefined) {
        agree(both, receivedAtMs);
        return;
      }
      const together = contrary && intersection(contrary, bounds);
      contradicted = together === undefined ? 1 : contradicted + 1;
      contrary = together ?? bounds;
      if (contradicted >= contradictions) agree(contrary, receivedAtMs);
    },
  };
}

function intersection(one: Bounds, other: Bounds): Bounds | undefined {
  const low = Math.max(one.low, other.low);
  const high = Math.min(one.high, other.high);
  return low <= high ? { low, high } : undefined;
}
