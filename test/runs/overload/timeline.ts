/** The counts of each second of a run, and the time of the recovery that follows from them. */
import type { BreakerState } from '../../../src/ports/overload.ts';

export interface Second {
  /** The number of the second since the start of the run. */
  readonly atS: number;
  /** The number of tasks that callers submitted for the first time. */
  readonly offered: number;
  /** The number of tasks that were acknowledged. */
  readonly admitted: number;
  /** The number of calls that were refused before any work. A call that is repeated counts each time. */
  readonly refused: number;
  readonly done: number;
  readonly api: readonly BreakerState[];
  readonly worker: readonly BreakerState[];
  /** The number of requests to the table that were throttled. */
  readonly throttles: number;
  /** The number of tasks that were submitted and are not done, acknowledged or not. */
  readonly backlog: number;
}

export interface Cut {
  readonly fromS: number;
  readonly untilS: number;
}

const short: Readonly<Record<BreakerState, string>> = { open: 'open', halfOpen: 'half', closed: 'closed' };
const columnChars = 10;
const columns = ['s', 'offered', 'admitted', 'refused', 'done', 'throttles', 'backlog'] as const;

export function header(): string {
  return `${columns.map((name) => name.padStart(columnChars)).join('')}  ${'breakers: API'.padEnd(18)}worker`;
}

export function row(second: Second, cut: Cut | undefined): string {
  const { atS, offered, admitted, refused, done, throttles, backlog, api, worker } = second;
  const numbers = [atS, offered, admitted, refused, done, throttles, backlog];
  const textOf = (states: readonly BreakerState[]): string => states.map((state) => short[state]).join(' ');
  const isCut = cut !== undefined && atS > cut.fromS && atS <= cut.untilS;
  const line = `${numbers.map((n) => String(n).padStart(columnChars)).join('')}  ${textOf(api).padEnd(18)}${textOf(worker)}`;
  return isCut ? `${line.padEnd(108)}| cut` : line;
}

/** The number of calm seconds in a row that count as a recovery. A shorter calm between two refusals does not count. */
const calmS = 3;
/** The number of seconds before the capacity cut from which the usual backlog is computed. */
const beforeS = 5;

function isClosed({ api, worker }: Second): boolean {
  return [...api, ...worker].every((state) => state === 'closed');
}

/**
 * Returns how many seconds after the cut the system had recovered: nothing refused, every circuit breaker closed, and
 * the backlog at most one second's tasks larger than before. Returns undefined if it never recovered.
 */
export function recoveredInS(seconds: readonly Second[], cut: Cut, perS: number): number | undefined {
  const before = seconds.filter(({ atS }) => atS <= cut.fromS && atS > cut.fromS - beforeS);
  const usual = before.reduce((sum, { backlog }) => sum + backlog, 0) / Math.max(1, before.length);
  let since: number | undefined;
  for (const second of seconds) {
    if (second.atS <= cut.untilS) continue;
    const calm = second.refused === 0 && isClosed(second) && second.backlog <= usual + perS;
    if (!calm) since = undefined;
    else since ??= second.atS;
    if (since !== undefined && second.atS - since + 1 >= calmS) return since - cut.untilS;
  }
  return undefined;
}
