import type { Clock, Timekeeper, TimeSample } from '../ports/clock.ts';
import { coarseOffset } from './coarse-offset.ts';

export interface CorrectedClock extends Clock, Timekeeper {
  /** How far the machine's clock is ahead of the one that it is measured by, in ms; undefined: not measured yet. */
  readonly offsetMs: number | undefined;
  /** Of answers that the offset is the median of, at most 20; none where all were slow. */
  readonly samples: number;
  /** False from where the offset is beyond 2 s and the error of its measure until it is within 1.5 s and that again. */
  readonly fit: boolean;
  /** Calls back when `fit` changed; the answer ends it. */
  onFitness(changed: () => void): () => void;
}

const mostSamples = 20;
/** A header tells whole seconds: on average the other clock stood half a second later. */
const halfMs = 500;
/** An answer that took longer says too little, and counts only where none was faster. */
const longestAnswerMs = 1_000;
/** Below it is within the error of the measure, and the machine's own clock is the better one … */
const correctFromMs = 500;
/** … which it is again below this part of it. */
const correctUntil = 0.5;
const unfitFromMs = 2_000;
const fitUntilMs = 1_500;
/** So many answers in a row that contradict the median are believed: the machine slept. */
const contradictions = 3;
const contradictsMs = 1_500;

/**
 * A clock that is measured by the answers of a service whose clock counts, and corrected by the median; where every answer
 * is slow, as far as those can tell. It remembers where the service's clock stands against `monotonic`, so that a jump of
 * the machine's clock is seen at once and followed never.
 */
export function correctedClock(machine: Clock): CorrectedClock {
  let against: number[] = [];
  let median = 0;
  let isCorrecting = false;
  let isFit = true;
  const listeners = new Set<() => void>();

  const coarse = coarseOffset();

  /** What the other clock says, and how far the machine's is ahead of it; undefined: not measured yet. */
  function measured():
    | { readonly serverMs: number; readonly offMs: number; readonly coarseMs: number }
    | undefined {
    const found = against.length > 0 ? { againstMs: median, errorMs: 0 } : coarse.found;
    if (found === undefined) return undefined;
    const serverMs = machine.monotonic() + found.againstMs;
    return { serverMs, offMs: Math.round(machine.now() - serverMs), coarseMs: found.errorMs };
  }

  function judge(): boolean {
    const { offMs, coarseMs } = measured() ?? { offMs: 0, coarseMs: 0 };
    const before = isFit;
    isFit = Math.abs(offMs) <= (isFit ? unfitFromMs : fitUntilMs) + coarseMs;
    if (isFit !== before) for (const changed of [...listeners]) changed();
    return isFit;
  }

  function addSample(time: TimeSample): void {
    const { serverMs, requestedAtMs, receivedAtMs } = time;
    if (receivedAtMs - requestedAtMs > longestAnswerMs) {
      coarse.addSample(time);
      judge();
      return;
    }
    against.push(serverMs + halfMs - (requestedAtMs + receivedAtMs) / 2);
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
      const found = measured();
      if (found === undefined) return machine.now();
      const fromMs = Math.max(correctFromMs, found.coarseMs);
      isCorrecting = Math.abs(found.offMs) > (isCorrecting ? fromMs * correctUntil : fromMs);
      return isCorrecting ? Math.round(found.serverMs) : machine.now();
    },
    addSample,
    get offsetMs() {
      return measured()?.offMs;
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
