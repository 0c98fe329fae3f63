import type { Clock, Timekeeper, TimeTold } from '../ports/clock.ts';

export interface CorrectedClock extends Clock, Timekeeper {
  /** How far the machine's clock is ahead of the one that it is measured by, in ms; undefined: not measured yet. */
  readonly offsetMs: number | undefined;
  /** Of answers that the offset is the median of, at most 20. */
  readonly samples: number;
  /** False from where the offset is beyond 2 s until it is within 1.5 s again. */
  readonly fit: boolean;
  /** Calls back when `fit` changed; the answer ends it. */
  onFitness(changed: () => void): () => void;
}

const mostSamples = 20;
/** A header tells whole seconds: on average the other clock stood half a second later. */
const halfMs = 500;
/** An answer that took longer says too little. */
const longestAnswerMs = 1_000;
/** Below it is within the error of the measure, and the machine's own clock is the better one … */
const correctFromMs = 500;
/** … which it is again below this. */
const correctUntilMs = 250;
const unfitFromMs = 2_000;
const fitUntilMs = 1_500;
/** So many answers in a row that contradict the median are believed: the machine slept. */
const contradictions = 3;
const contradictsMs = 1_500;

/**
 * A clock that is measured by the answers of a service whose clock counts, and corrected by the median. It remembers
 * where the service's clock stands against `monotonic`, so that a jump of the machine's clock is seen at once and
 * followed never.
 */
export function correctedClock(machine: Clock): CorrectedClock {
  let against: number[] = [];
  let median = 0;
  let isCorrecting = false;
  let isFit = true;
  const listeners = new Set<() => void>();

  const told = (): number => machine.monotonic() + median;
  const offset = (): number | undefined =>
    against.length === 0 ? undefined : Math.round(machine.now() - told());

  function judge(): boolean {
    const offMs = Math.abs(offset() ?? 0);
    const before = isFit;
    isFit = offMs <= (isFit ? unfitFromMs : fitUntilMs);
    if (isFit !== before) for (const changed of [...listeners]) changed();
    return isFit;
  }

  function heard({ toldMs, askedAtMs, heardAtMs }: TimeTold): void {
    if (heardAtMs - askedAtMs > longestAnswerMs) return;
    against.push(toldMs + halfMs - (askedAtMs + heardAtMs) / 2);
    const last = against.slice(-contradictions);
    const contradicted =
      last.length < against.length && last.every((one) => Math.abs(one - median) > contradictsMs);
    against = contradicted ? last : against.slice(-mostSamples);
    median = medianOf(against);
    judge();
  }

  return {
    ...machine,
    now() {
      const offMs = offset();
      if (offMs === undefined) return machine.now();
      isCorrecting = Math.abs(offMs) > (isCorrecting ? correctUntilMs : correctFromMs);
      return isCorrecting ? Math.round(told()) : machine.now();
    },
    heard,
    get offsetMs() {
      return offset();
    },
    get samples() {
      return against.length;
    },
    get fit() {
      return judge();
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
