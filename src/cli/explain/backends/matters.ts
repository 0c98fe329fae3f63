import type { AttemptRow } from '../attempts.ts';
import type { LogLine } from './log-lines.ts';
import type { Span } from './spans.ts';

/** How far the clock of a worker and that of the store may differ, in ms. */
const clocksMs = 2_000;

/** The line or the span that shows why a task failed. */
export interface Culprit {
  readonly atMs: number;
  readonly from: 'log' | 'span';
  readonly service: string;
  readonly text: string;
}

const failures: ReadonlySet<string> = new Set(['failed', 'died', 'leaseExpired']);
const ranks: Readonly<Record<string, number>> = { fatal: 3, error: 3, warn: 2, warning: 2 };

/** Returns how much a line or span says about the failure of an attempt: 0 if nothing. */
function weightOf(
  { atMs, attempt, text, rank }: { atMs: number; attempt: number | undefined; text: string; rank: number },
  failed: AttemptRow | undefined,
): number {
  if (rank === 0) return 0;
  if (failed === undefined) return rank;
  const isOfAttempt =
    attempt === undefined
      ? atMs >= failed.claimedAtMs - clocksMs && atMs <= failed.claimedAtMs + failed.durationMs + clocksMs
      : attempt === failed.attempt;
  const [error = ''] = failed.error.replace(/^\w+: /, '').split('\n');
  const saysError = error !== '' && text.includes(error);
  return rank + (isOfAttempt ? 20 : 0) + (saysError ? 10 : 0);
}

/**
 * Returns the line that matters of a task: the error line of the last failed attempt, or the span of it that failed if there is
 * no such line. Without a failed attempt it is the newest error. Undefined if nothing is an error or a warning. The lines and
 * spans of other tasks, which one request may have submitted in the same trace, never matter.
 */
export function culpritOf(
  taskId: string,
  attempts: readonly AttemptRow[],
  lines: readonly LogLine[],
  spans: readonly Span[],
): Culprit | undefined {
  const failed = attempts.findLast(({ outcome }) => failures.has(outcome));
  const ofLines = lines.map((line) => ({ ...line, from: 'log' as const, rank: ranks[line.level] ?? 0 }));
  const ofSpans = spans.map(({ startMs, durationMs, isError, message, name, ...span }) => ({
    atMs: startMs + durationMs,
    text: message === '' ? `${name} failed` : `${name}: ${message}`,
    rank: isError ? 1 : 0,
    ...{ service: span.service, attempt: span.attempt, taskId: span.taskId, from: 'span' as const },
  }));
  let best: Culprit | undefined;
  let most = 0;
  for (const one of [...ofSpans, ...ofLines]) {
    if (one.taskId !== undefined && one.taskId !== taskId) continue;
    const weight = weightOf(one, failed);
    const isLater = weight === most && one.atMs >= (best?.atMs ?? 0);
    if (weight === 0 || weight < most || (weight === most && !isLater)) continue;
    most = weight;
    best = { atMs: one.atMs, from: one.from, service: one.service, text: one.text };
  }
  return best;
}
