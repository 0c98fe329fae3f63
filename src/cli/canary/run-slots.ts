import type { SlotCounter, SlotResult } from '../../core/objectives/slot-results.ts';
import type { Clock } from '../../ports/clock.ts';

/** The end of one probe: its result, and the error of a bad one. */
export interface ProbeEnd {
  readonly result: SlotResult;
  readonly error?: unknown;
}

/** Makes one probe. It ends early if the signal is aborted, which happens at the end of its slot. */
export type Probe = (slot: number, signal: AbortSignal) => Promise<ProbeEnd>;

export interface SlotLoop {
  readonly clock: Clock;
  readonly slotMs: number;
  readonly probe: Probe;
  readonly counter: SlotCounter;
  /** Called after each slot that was probed. */
  readonly onEnd: (end: ProbeEnd) => void;
  /** Ends the loop when it is aborted. The open slot is not counted then. */
  readonly signal: AbortSignal;
  /** The number of slots after which the loop ends by itself, without waiting for the end of the last one. Default: no end. */
  readonly slots?: number | undefined;
}

/**
 * Makes one probe in each slot until the signal is aborted, or as many slots are over as were wanted. Slots follow each other without gaps on the monotonic clock.
 * A probe that has no result at the end of its slot is late. Slots during which this process stood still are counted as
 * missed, so that they are bad too.
 */
export async function runSlots(loop: SlotLoop): Promise<void> {
  const { clock, slotMs, counter, onEnd, signal, slots = Number.POSITIVE_INFINITY } = loop;
  const startMs = clock.monotonic();
  const slotAt = (ms: number): number => Math.floor((ms - startMs) / slotMs);
  for (let slot = 0; !signal.aborted; ) {
    const endMs = startMs + (slot + 1) * slotMs;
    const end = await probeWithin(loop, slot, endMs);
    if (signal.aborted) return;
    counter.count(end.result, 1);
    onEnd(end);
    if (slot + 1 >= slots) return;
    await clock.sleep(Math.max(0, endMs - clock.monotonic()), signal);
    // A timer may come a fraction of a millisecond early.
    const next = Math.max(slot + 1, slotAt(clock.monotonic()));
    const missed = next - slot - 1;
    if (missed > 0 && !signal.aborted) counter.count('missed', missed);
    slot = next;
  }
}

async function probeWithin(
  { clock, probe, signal }: SlotLoop,
  slot: number,
  endMs: number,
): Promise<ProbeEnd> {
  const over = new AbortController();
  const end = (): void => over.abort();
  signal.addEventListener('abort', end);
  try {
    return await Promise.race([
      probe(slot, over.signal).catch((error: unknown): ProbeEnd => ({ result: 'failed', error })),
      clock.sleep(endMs - clock.monotonic(), over.signal).then((): ProbeEnd => ({ result: 'late' })),
    ]);
  } finally {
    signal.removeEventListener('abort', end);
    over.abort();
  }
}
