/** Rules for single values. Numbers of generated messages may be bigints. */
import { limits } from '../../../core/limits.ts';
import type { Rule } from './validate.ts';

const namePattern = /^[A-Za-z0-9._-]+$/;
const illFormed = 'holds half of a surrogate pair; send well-formed Unicode';

function chars(count: number): string {
  return `${count.toLocaleString('en')} characters`;
}

/** Text of any characters, well formed. */
export function text(maxChars: number, need: 'required' | 'optional' = 'optional'): Rule<string> {
  return (value) => {
    if (value === '') return need === 'required' ? 'is missing' : undefined;
    if (value.length > maxChars)
      return `has ${chars(value.length)}; at most ${maxChars.toLocaleString('en')}`;
    return value.isWellFormed() ? undefined : illFormed;
  };
}

/** A queue, type or tenant. */
export function name(need: 'required' | 'optional' = 'required'): Rule<string> {
  return (value) => {
    if (value === '') return need === 'required' ? 'is missing' : undefined;
    if (value.length > limits.nameChars) return `has ${chars(value.length)}; at most ${limits.nameChars}`;
    return namePattern.test(value) ? undefined : 'may hold only A-Z, a-z, 0-9, dot, underscore and hyphen';
  };
}

export function whole(min: number, max: number, unit = ''): Rule<number | bigint> {
  return (value) => {
    const number = Number(value);
    if (Number.isInteger(number) && number >= min && number <= max) return undefined;
    const [from, to] = [min, max].map((n) => n.toLocaleString('en'));
    return `is ${value}; a whole number from ${from} to ${to}${unit === '' ? '' : ` ${unit}`}`;
  };
}

/** Milliseconds. The longest is told in the largest unit that is whole. */
export function length(minMs: number, maxMs: number): Rule<number | bigint> {
  return (value) => {
    const ms = Number(value);
    if (Number.isInteger(ms) && ms >= minMs && ms <= maxMs) return undefined;
    return `is ${value} ms; a whole number of ms from ${told(minMs)} to ${told(maxMs)}`;
  };
}

/** Milliseconds since the epoch. */
export const time: Rule<number | bigint> = (value) => {
  const ms = Number(value);
  return Number.isSafeInteger(ms) && ms >= 0 ? undefined : `is ${value}; milliseconds since the epoch`;
};

export function told(ms: number): string {
  const units = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1_000, 's'],
  ] as const;
  const [unitMs, unit] = units.find(([one]) => ms >= one && ms % one === 0) ?? [1, 'ms'];
  return `${ms / unitMs} ${unit}`;
}

export function fraction(value: number): string | undefined {
  return value >= 0 && value <= 1 ? undefined : `is ${value}; from 0 to 1`;
}

export function oneOf<V extends string>(known: readonly V[]): Rule<V> {
  return (value) => (known.includes(value) ? undefined : `is ${value}; one of ${known.join(', ')}`);
}

/** An enum of a generated message: one of its known numbers. */
export function enumOf(known: Readonly<Record<string, number>>): Rule<number> {
  const numbers = new Set(Object.values(known));
  return (value) => (numbers.has(value) ? undefined : `is ${value}; unknown to this version`);
}

export function count(min: number, max: number, what: string): Rule<number> {
  return (n) => {
    if (n >= min && n <= max) return undefined;
    if (n < min) return `has ${n} ${what}; at least ${min}`;
    return `has ${n.toLocaleString('en')} ${what}; at most ${max.toLocaleString('en')}`;
  };
}

/** Bytes of UTF-8, counted only where the characters do not already settle it. */
export function utf8(maxBytes: number): Rule<string> {
  return (value) => {
    if (value === '') return 'is empty';
    if (value.length > maxBytes) return `has more than ${maxBytes} bytes`;
    if (!value.isWellFormed()) return illFormed;
    if (value.length * 3 <= maxBytes) return undefined;
    const bytes = Buffer.byteLength(value);
    return bytes > maxBytes ? `has ${bytes} bytes; at most ${maxBytes}` : undefined;
  };
}

export function blob(maxBytes: number): Rule<Uint8Array> {
  return (value) => {
    if (value.length === 0) return 'is missing';
    if (value.length <= maxBytes) return undefined;
    return `has ${value.length.toLocaleString('en')} bytes; at most ${maxBytes.toLocaleString('en')}`;
  };
}
