import { invalid } from '../core/errors.ts';

type Unit = 'ms' | 's' | 'm' | 'h' | 'd';

/** A length of time: `'250ms'`, `'10s'`, `'5m'`, `'2h'`, `'7d'`, or a number of milliseconds. */
export type Duration = number | `${number}${Unit}`;

const unitMs: Readonly<Record<Unit, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const form = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/**
 * Milliseconds of a duration, rounded to a whole number.
 * @throws HoldfastError INVALID_ARGUMENT where the text has another form, or the number is negative or longer than the
 * wire carries.
 */
export function durationMs(duration: Duration, field = 'duration'): number {
  if (typeof duration === 'number') {
    return carried(duration, duration, field);
  }
  const parts = form.exec(duration);
  if (parts === null) {
    const description = `is '${duration}'; write a number and one of ms, s, m, h, d, such as '10s' or '5m'`;
    throw invalid([{ field, description }]);
  }
  return carried(Number(parts[1]) * unitMs[parts[2] as Unit], duration, field);
}

/** What the wire carries: a length past 2^53 ms would fail the whole batch that it goes out with. */
function carried(ms: number, duration: Duration, field: string): number {
  const whole = Math.round(ms);
  if (whole >= 0 && whole <= Number.MAX_SAFE_INTEGER) return whole;
  throw invalid([{ field, description: `is ${duration}; a number of milliseconds from 0` }]);
}

/** The same for an option that may be absent. */
export function optionalMs(duration: Duration | undefined, field: string): number | undefined {
  return duration === undefined ? undefined : durationMs(duration, field);
}
