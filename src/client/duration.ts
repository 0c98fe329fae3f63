import { clipChars } from '../core/clip.ts';
import { invalid } from '../core/errors.ts';
import { kindOf } from './contract/untyped-values.ts';

type Unit = 'ms' | 's' | 'm' | 'h' | 'd';

/** A length of time: `'250ms'`, `'10s'`, `'5m'`, `'2h'`, `'7d'`, or a number of milliseconds. */
export type Duration = number | `${number}${Unit}`;

const unitMs: Readonly<Record<Unit, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const form = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/**
 * Converts a duration to milliseconds, rounded to a whole number. `field` is the name of the option in the error.
 *
 * @throws HoldfastError INVALID_ARGUMENT if the text has another form, or if the duration is negative or longer than
 * 2^53 − 1 ms.
 */
export function durationMs(duration: Duration, field = 'duration'): number {
  if (typeof duration === 'number') {
    return encodableMs(duration, duration, field);
  }
  if (typeof duration !== 'string') {
    throw invalid([
      { field, description: `is ${kindOf(duration)}; give a number of ms or a text such as '5m'` },
    ]);
  }
  const parts = form.exec(duration);
  if (parts === null) {
    const description = `is '${clipChars(duration, 100)}'; write a number and one of ms, s, m, h, d, such as '10s' or '5m'`;
    throw invalid([{ field, description }]);
  }
  return encodableMs(Number(parts[1]) * unitMs[parts[2] as Unit], duration, field);
}

/**
 * Rounds milliseconds to a whole number that the wire format can hold. A longer duration would fail to encode, and with
 * it every submission of the same batch.
 */
function encodableMs(ms: number, duration: Duration, field: string): number {
  const whole = Math.round(ms);
  if (whole >= 0 && whole <= Number.MAX_SAFE_INTEGER) return whole;
  throw invalid([{ field, description: `is ${duration}; a number of milliseconds from 0` }]);
}

/** Converts an optional duration to milliseconds; returns undefined if it is absent. */
export function optionalMs(duration: Duration | undefined, field: string): number | undefined {
  return duration === undefined ? undefined : durationMs(duration, field);
}
