import type { TimeSample } from '../ports/clock.ts';

/** Between which bounds another clock stands against `monotonic`, in ms. */
interface Bounds {
  readonly low: number;
  readonly high: number;
}

export interface CoarseOffset {
  addSample(told: TimeSample): void;
  /** The middle of what all agree on, and how far off that is at most, in ms; undefined: nothing was heard. */
  readonly found: { readonly againstMs: number; readonly errorMs: number } | undefined;
}

const secondMs = 1_000;
/** So many answers in a row that contradict those before are believed: the machine slept, or the first was wrong. */
const contradictions = 3;

/**
 * What answers say that took too long to be exact: each leaves the other clock as much room as it took, and half a second
 * each way, since a header tells whole seconds. Together they leave what all of them do.
 */
export function coarseOffset(): CoarseOffset {
  let agreed: Bounds | undefined;
  let contradicted = 0;
  return {
    addSample({ serverMs, requestedAtMs, receivedAtMs }) {
      const said: Bounds = { low: serverMs - receivedAtMs, high: serverMs + secondMs - requestedAtMs };
      const both = agreed && common(agreed, said);
      contradicted = agreed !== undefined && both === undefined ? contradicted + 1 : 0;
      if (contradicted > 0 && contradicted < contradictions) return;
      contradicted = 0;
      agreed = both ?? said;
    },
    get found() {
      if (agreed === undefined) return undefined;
      const { low, high } = agreed;
      return { againstMs: (low + high) / 2, errorMs: (high - low) / 2 };
    },
  };
}

function common(one: Bounds, other: Bounds): Bounds | undefined {
  const low = Math.max(one.low, other.low);
  const high = Math.min(one.high, other.high);
  return low <= high ? { low, high } : undefined;
}
