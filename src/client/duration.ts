import { invalid } from '../core/errors.ts';

type Unit = 'ms' | 's' | 'm' | 'h' | 'd';

/** A length of time: `'250ms'`, `'10s'`, `'5m'`, `'2h'`, `'7d'`, or a number of milliseconds. */
export type Duration = number | `${number}${Unit}`;

const unitMs: Readonly<Record<Unit, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const form = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/**
 * Milliseconds of a duration, rounded to a whole number.
 * @throws HoldfastError INVALID_ARGUMENT where the text has another form, or the number is negative or not finite.
 */
export function durationMs(duration: Duration, field = 'duration'): number {
  if (typeof duration === 'number') {
    if (Number.isFinite(duration) && duration >= 0) return Math.round(duration);
    throw invalid([{ field, description: `is ${duration}; a number of milliseconds from 0` }]);
  }
  const parts = form.exec(duration);
  if (parts === null) {
    const description = `is '${duration}'; write a number and one of ms, s, m, h, d, such as '10s' or '5m'`;
    throw invalid([{ field, description }]);
  }
  return Math.round(Number(parts[1]) * unitMs[parts[2] as Unit]);
}

/** The same for an option that may be absent. */
export function optionalMs(duration: Duration | undefined, field: string): number | undefined {
  return duration === undefined ? undefined : durationMs(duration, field);
}
