/** The ages at which reconcile passes examine tasks, and send again the dispatch messages that were lost. */
import { defaults } from '../../core/limits.ts';
import { hourMs } from './reconcile-notes.ts';

const minuteMs = 60_000;
const dayMs = 24 * hourMs;

export interface ScheduledPass {
  readonly name: string;
  /**
   * The age in ms at which this reconcile pass examines a task. The last pass examines a task just after the default
   * lifetime.
   */
  readonly ageMs: number;
  /**
   * The shortest range of acceptance times in ms that this reconcile pass examines at once, and so the shortest time
   * between two runs of the pass.
   */
  readonly everyMs: number;
}

export const firstScheduled: ScheduledPass = { name: '10m', ageMs: 10 * minuteMs, everyMs: minuteMs };
export const lastScheduled: ScheduledPass = {
  name: 'lifetime',
  ageMs: defaults.lifetimeMs + minuteMs,
  everyMs: minuteMs,
};
export const passes: readonly ScheduledPass[] = [
  firstScheduled,
  { name: '1d', ageMs: dayMs, everyMs: hourMs },
  { name: '13d', ageMs: 13 * dayMs, everyMs: hourMs },
  lastScheduled,
];

/**
 * Returns the latest time at which the next reconcile pass examines a task that was accepted or redriven at `sinceMs`.
 * Undefined if it is older than the last pass, which examines such tasks again and again.
 */
export function nextExaminedAtMs(sinceMs: number, nowMs: number): number | undefined {
  const next = passes.find(({ ageMs }) => sinceMs + ageMs > nowMs);
  return next === undefined ? undefined : sinceMs + next.ageMs + next.everyMs;
}
