/** What is counted in each second of a run, and what it says about the recovery. */
import type { BreakerState } from '../../../src/ports/overload.ts';

export interface Second {
  /** From the start of the run. */
  readonly atS: number;
  /** Submitted by callers for the first time, and acknowledged to them. */
  readonly offered: number;
  readonly admitted: number;
  /** Refused before any work; a call that comes back later is counted each time. */
  readonly refused: number;
  readonly done: number;
  readonly api: readonly BreakerState[];
  readonly worker: readonly BreakerState[];
  /** Requests to the table. */
  readonly throttles: number;
  /** Offered and not yet done, wherever they are. */
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
  const said = (states: readonly BreakerState[]): string => states.map((state) => short[state]).join(' ');
  const isCut = cut !== undefined && atS > cut.fromS && atS <= cut.untilS;
  const line = `${numbers.map((n) => String(n).padStart(columnChars)).join('')}  ${said(api).padEnd(18)}${said(worker)}`;
  return isCut ? `${line.padEnd(108)}| cut` : line;
}

/** Seconds in a row that must be calm, so that a lull in between counts for nothing. */
const calmS = 3;
/** Looked at before the cut. */
const beforeS = 5;

function isClosed({ api, worker }: Second): boolean {
  return [...api, ...worker].every((state) => state === 'closed');
}

/**
 * How many seconds after the cut's end everything was as before: nothing refused, every breaker closed, and the backlog
 * not larger than before by more than a second's worth. Undefined: never.
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
