/**
 * The rules about single values, by which the SDK, the API, every engine and the command check them. A rule is built once
 * and allocates nothing for a valid value. Numbers of generated messages may be bigints.
 */
import { type HoldfastError, invalid, type Violation } from './errors.ts';
import { limits } from './limits.ts';
import { Memo } from './memo.ts';
import { isTraceparent } from './submission/traceparent.ts';

/** Checks one value. Returns undefined if it is valid, else a problem such as `is 0; a whole number from 1 to 8`. */
export type Rule<V> = (value: V) => string | undefined;

/**
 * A rule for every field of the message type M. `satisfies FieldRules<M>` makes a field without a rule a type
 * error.
 */
export type FieldRules<M> = { readonly [K in keyof M]-?: Rule<M[K]> };

/** Collects the problems of several fields. */
export class Violations {
  #found: Violation[] | undefined;

  add(field: string, problem: string | undefined): void {
    if (problem === undefined) return;
    this.#found ??= [];
    this.#found.push({ field, description: problem });
  }

  /** Checks each field that has a rule. `parent` is the path of the object. */
  addFields<M>(parent: string, rules: FieldRules<M>, values: NoInfer<M>): void {
    for (const key in rules) {
      const problem = rules[key](values[key]);
      if (problem !== undefined) this.add(`${parent}.${key}`, problem);
    }
  }

  /** Checks the number of values and, if it is valid, each value. The field of a value is `field[i]`. */
  addList<V>(field: string, values: readonly V[], length: Rule<number>, each: Rule<V>): void {
    const problem = length(values.length);
    this.add(field, problem);
    if (problem !== undefined) return;
    for (let i = 0; i < values.length; i++) {
      const wrong = each(values[i] as V);
      if (wrong !== undefined) this.add(`${field}[${i}]`, wrong);
    }
  }

  get isEmpty(): boolean {
    return this.#found === undefined;
  }

  /** Returns the error with every violation, or undefined if there are none. */
  error(): HoldfastError | undefined {
    return this.#found === undefined ? undefined : invalid(this.#found);
  }

  throwIfAny(): void {
    if (this.#found !== undefined) throw invalid(this.#found);
  }
}

/** Throws INVALID_ARGUMENT, BAD_FIELD with the name of the field if the value breaks the rule. */
export function requireValid<V>(field: string, rule: Rule<V>, value: V): void {
  const problem = rule(value);
  if (problem !== undefined) throw invalid([{ field, description: problem }]);
}

/** Returns a rule that accepts undefined and applies `rule` to every other value. */
export function ifGiven<V>(rule: Rule<V>): Rule<V | undefined> {
  return (value) => (value === undefined ? undefined : rule(value));
}

/** Names that were found valid: the same few queues, task types and tenants come with each task. */
const validNames = new Memo<string, true>(limits.rememberedNames);
const namePattern = /^[A-Za-z0-9._-]+$/;
const illFormed = 'holds half of a surrogate pair; send well-formed Unicode';

function chars(count: number): string {
  return `${count.toLocaleString('en')} characters`;
}

/** A text of at most `maxChars` characters, without lone surrogates. */
export function text(maxChars: number, need: 'required' | 'optional' = 'optional'): Rule<string> {
  return (value) => {
    if (value === '') return need === 'required' ? 'is missing' : undefined;
    if (value.length > maxChars)
      return `has ${chars(value.length)}; at most ${maxChars.toLocaleString('en')}`;
    return value.isWellFormed() ? undefined : illFormed;
  };
}

/** The name of a queue, a task type or a tenant. */
export function name(need: 'required' | 'optional' = 'required'): Rule<string> {
  return (value) => {
    if (value === '') return need === 'required' ? 'is missing' : undefined;
    if (value.length > limits.nameChars) return `has ${chars(value.length)}; at most ${limits.nameChars}`;
    if (validNames.get(value)) return undefined;
    if (!namePattern.test(value)) return 'may hold only A-Z, a-z, 0-9, dot, underscore and hyphen';
    validNames.set(value, true);
    return undefined;
  };
}

export function whole(min: number, max: number, unit = ''): Rule<number | bigint> {
  return (value) => {
    const number = Number(value);
    if (Number.isInteger(number) && number >= min && number <= max) return undefined;
    const to = max === Number.POSITIVE_INFINITY ? '' : ` to ${max.toLocaleString('en')}`;
    return `is ${value}; a whole number from ${min.toLocaleString('en')}${to}${unit === '' ? '' : ` ${unit}`}`;
  };
}

/** A duration in milliseconds. The error text gives both limits in the largest unit that divides them. */
export function duration(minMs: number, maxMs: number): Rule<number | bigint> {
  return (value) => {
    const ms = Number(value);
    if (Number.isInteger(ms) && ms >= minMs && ms <= maxMs) return undefined;
    return `is ${value} ms; a whole number of ms from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`;
  };
}

/** A time in milliseconds since the epoch. */
export const time: Rule<number | bigint> = (value) => {
  const ms = Number(value);
  return Number.isSafeInteger(ms) && ms >= 0 ? undefined : `is ${value}; milliseconds since the epoch`;
};

export function formatDuration(ms: number): string {
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

/** A W3C traceparent, or an empty text. */
export function traceparent(value: string): string | undefined {
  return value === '' || isTraceparent(value) ? undefined : 'is not a W3C traceparent';
}

export function oneOf<V extends string>(known: readonly V[]): Rule<V> {
  return (value) => (known.includes(value) ? undefined : notOneOf(value, known));
}

/** Returns the problem of a word that is not one of the known ones. */
export function notOneOf(word: string | undefined, known: readonly (string | undefined)[]): string {
  return `is ${word}; one of ${known.join(', ')}`;
}

/** An enum of a generated message. Its value must be one of the known numbers. */
export function enumOf(known: Readonly<Record<string, number>>): Rule<number> {
  const numbers = new Set(Object.values(known));
  return (value) => (numbers.has(value) ? undefined : `is ${value}; unknown to this version`);
}

/** The length of a list. The error text names its values by the plural `items`. */
export function count(min: number, max: number, items: string): Rule<number> {
  return (n) => {
    if (n >= min && n <= max) return undefined;
    if (n < min) return `has ${n} ${items}; at least ${min}`;
    return `has ${n.toLocaleString('en')} ${items}; at most ${max.toLocaleString('en')}`;
  };
}

/** Counts the UTF-8 bytes of a string without encoding it. */
export function utf8Bytes(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    // A surrogate pair has 4 bytes, so each half counts as 2.
    else bytes += unit >= 0xd800 && unit <= 0xdfff ? 2 : 3;
  }
  return bytes;
}

/** A text of at most `maxBytes` bytes of UTF-8. The bytes are counted only if the number of characters does not decide. */
export function utf8(maxBytes: number, need: 'required' | 'optional' = 'required'): Rule<string> {
  return (value) => {
    if (value === '') return need === 'required' ? 'is empty' : undefined;
    if (value.length > maxBytes) return `has more than ${maxBytes} bytes`;
    if (!value.isWellFormed()) return illFormed;
    if (value.length * 3 <= maxBytes) return undefined;
    const bytes = utf8Bytes(value);
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
