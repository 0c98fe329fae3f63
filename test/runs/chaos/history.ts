/** Checks the history of one task against the rules of a task's life, which it has of its own and not from the product. */
import type { EventKind } from '../../../src/core/task/event.ts';

/** An event as the API shows it. */
export interface EventRecord {
  readonly kind: EventKind;
  readonly atMs: number;
  /** 0 if the event has none. */
  readonly fencingToken: number;
  readonly attempt: number;
}

export const ends: readonly EventKind[] = ['succeeded', 'died', 'cancelled'];
/** The events by which a holder loses its lease, and after which the task waits. */
const returns: readonly EventKind[] = ['claimReleased', 'leaseExpired', 'failed', 'snoozed'];

export interface HistoryFaults {
  /** Events that a task in that state cannot have: a part of the history is not what was written. */
  readonly illegal: readonly string[];
  /** Ends after the first one. */
  readonly secondEnds: readonly string[];
  /** Events with a time before that of the event before. */
  readonly backward: readonly string[];
}

/** Returns the attempts that a claim must have, given the one before. */
function usedAttempts(used: number, kind: EventKind): number {
  return kind === 'failed' ? used + 1 : used;
}

export function historyFaults(events: readonly EventRecord[]): HistoryFaults {
  const illegal: string[] = [];
  const secondEnds: string[] = [];
  const backward: string[] = [];
  let state: 'none' | 'waiting' | 'running' | 'ended' = 'none';
  let fencingToken = 0;
  let used = 0;
  let beforeMs = Number.NEGATIVE_INFINITY;
  events.forEach(({ kind, atMs, fencingToken: own, attempt }, i) => {
    const place = `event ${i + 1}, ${kind},`;
    if (atMs < beforeMs) backward.push(`${place} is ${beforeMs - atMs} ms before event ${i}`);
    beforeMs = atMs;
    const wrong = (why: string): void => void illegal.push(`${place} ${why}`);
    if (kind === 'submitted') {
      if (state !== 'none') wrong('is not the first event');
      state = 'waiting';
    } else if (kind === 'claimed') {
      if (state !== 'waiting') wrong(`is of a task that is ${state}`);
      if (own <= fencingToken) wrong(`has the fencing token ${own} after ${fencingToken}`);
      if (attempt !== used + 1) wrong(`is attempt ${attempt} after ${used} used ones`);
      fencingToken = own;
      state = 'running';
    } else if (returns.includes(kind)) {
      if (state !== 'running') wrong(`is of a task that is ${state}`);
      if (own !== fencingToken) wrong(`has the fencing token ${own}, and the claim ${fencingToken}`);
      used = usedAttempts(used, kind);
      state = 'waiting';
    } else if (ends.includes(kind)) {
      if (state === 'ended') secondEnds.push(`${place} follows an end`);
      else if (kind === 'succeeded' && state !== 'running') wrong(`is of a task that is ${state}`);
      if (own !== 0 && own !== fencingToken)
        wrong(`has the fencing token ${own}, and the claim ${fencingToken}`);
      state = 'ended';
    } else wrong('is no event of this run');
  });
  return { illegal, secondEnds, backward };
}
