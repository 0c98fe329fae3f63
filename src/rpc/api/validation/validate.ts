/**
 * The validator of all requests. A table has one rule per field of a message (tables.ts). The validator collects every
 * violation with the path of its field, such as `items[3].options.tags[0]`. The same tables check the plain messages of
 * the core's codec and, after from-wire.ts has converted them, the generated messages.
 */
import { type Code, HoldfastError, invalid, type Reason, type Violation } from '../../../core/errors.ts';
import type { FieldRules, Rule } from '../../../core/rules.ts';

/** The error reasons that only certain invalid fields have. All other invalid fields have the reason BAD_FIELD. */
export type FieldReason = Extract<Reason, 'BAD_JSON' | 'TOO_LARGE' | 'NOT_BUILT'>;

/** A description of an invalid field value, with its error reason. A plain string has the reason BAD_FIELD. */
export type FieldProblem = string | { readonly description: string; readonly reason: FieldReason };

/** Checks the field `name` of a message and adds its violations to `findings`. `parent` is the path of the message. */
export type Check<V> = (value: V, parent: string, name: string, findings: Findings) => void;

interface Finding extends Violation {
  readonly reason: FieldReason | undefined;
}

const special: Readonly<Record<FieldReason, { readonly code: Code; readonly help: string }>> = {
  BAD_JSON: {
    code: 'INVALID_ARGUMENT',
    help: 'Send valid UTF-8 JSON, or give the content type that the bytes really have.',
  },
  TOO_LARGE: {
    code: 'INVALID_ARGUMENT',
    help: 'Store large data elsewhere and send a reference to it.',
  },
  NOT_BUILT: {
    code: 'UNIMPLEMENTED',
    help: 'Leave the field out; this version of Holdfast only reserves its name.',
  },
};

/** Collects the violations of one request, in the order of the validation tables. */
export class Findings {
  /** The current time in epoch ms, with which rules compare the times in a request. */
  readonly nowMs: number;
  #found: Finding[] | undefined;

  constructor(nowMs: number) {
    this.nowMs = nowMs;
  }

  add(parent: string, name: string, problem: FieldProblem): void {
    const { description, reason } =
      typeof problem === 'string' ? { description: problem, reason: undefined } : problem;
    this.#found ??= [];
    this.#found.push({ field: path(parent, name), description, reason });
  }

  get isEmpty(): boolean {
    return this.#found === undefined;
  }

  /** Returns the error of one item of a batch, whose checks gave it no path, and forgets its violations. */
  takeItemError(index: number): HoldfastError | undefined {
    if (this.#found === undefined) return undefined;
    this.#found = this.#found.map((one) => ({ ...one, field: path(`items[${index}]`, one.field) }));
    const error = this.error();
    this.#found = undefined;
    return error;
  }

  /**
   * Returns an error with all violations, or undefined if there are none. If all violations have the same special
   * reason, such as TOO_LARGE, the error has that reason too.
   */
  error(): HoldfastError | undefined {
    const found = this.#found;
    const first = found?.[0];
    if (found === undefined || first === undefined) return undefined;
    const violations = found.map(({ field, description }) => ({ field, description }));
    const { reason } = first;
    if (reason === undefined || found.some((f) => f.reason !== reason)) return invalid(violations);
    const { code, help } = special[reason];
    const message = violations.map((v) => `${v.field}: ${v.description}`).join('; ');
    return new HoldfastError(code, reason, message, { violations, help });
  }
}

const bracket = 91;

/** Joins the path of a field: `items` and `[3]` give `items[3]`, which with `key` gives `items[3].key`. */
export function path(parent: string, name: string): string {
  if (parent === '') return name;
  return name.charCodeAt(0) === bracket ? `${parent}${name}` : `${parent}.${name}`;
}

export function field<V>(rule: Rule<V>): Check<V> {
  return (value, parent, name, findings) => {
    const problem = rule(value);
    if (problem !== undefined) findings.add(parent, name, problem);
  };
}

export function list<V>(count: Rule<number>, each: Check<V>): Check<readonly V[]> {
  return (values, parent, name, findings) => {
    const problem = count(values.length);
    if (problem !== undefined) {
      findings.add(parent, name, problem);
      return;
    }
    if (values.length === 0) return;
    const at = path(parent, name);
    for (let i = 0; i < values.length; i++) each(values[i] as V, at, `[${i}]`, findings);
  };
}

export function optional<V>(check: Check<V>): Check<V | undefined> {
  return (value, parent, name, findings) => {
    if (value !== undefined) check(value, parent, name, findings);
  };
}

type Table<M> = { readonly [K in keyof M]?: Check<M[K]> };
/** A table with a check for every field of a message. `satisfies EveryField<M>` makes a missing field a type error. */
export type EveryField<M> = { readonly [K in keyof M]-?: Check<M[K]> };
/** Checks a rule that involves several fields of a message. `at` is the path of the message. */
type CrossFieldCheck<M> = (message: M, at: string, findings: Findings) => void;

export function message<M>(table: Table<M>, crossCheck?: CrossFieldCheck<M>): Check<M> {
  const keys = Object.keys(table) as (string & keyof M)[];
  const checks = keys.map((key) => table[key]) as Check<unknown>[];
  return (value, parent, name, findings) => {
    const at = name === '' ? parent : path(parent, name);
    // An indexed loop is faster than an iterator, and this code runs for each field of each task.
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string & keyof M;
      (checks[i] as Check<unknown>)(value[key], at, key, findings);
    }
    crossCheck?.(value, at, findings);
  };
}

/** Converts the rule of each field to a check that also accepts an absent field. */
export function optionalFields<M>(rules: FieldRules<M>): EveryField<{ [K in keyof M]: M[K] | undefined }> {
  const checks = Object.entries<Rule<never>>(rules).map(([name, rule]) => [name, optional(field(rule))]);
  return Object.fromEntries(checks);
}

/**
 * Checks a request. Throws one error with every violation: INVALID_ARGUMENT, or UNIMPLEMENTED if every violation has
 * the reason NOT_BUILT.
 */
export function ensure<M>(check: Check<M>, value: M, nowMs: number): void {
  const findings = new Findings(nowMs);
  check(value, '', '', findings);
  const error = findings.error();
  if (error !== undefined) throw error;
}

/** Checks one item of a batch. Returns the error with every violation, or undefined if the item is valid. */
export function validateItem<M>(
  check: Check<M>,
  value: M,
  at: string,
  nowMs: number,
): HoldfastError | undefined {
  const findings = new Findings(nowMs);
  check(value, at, '', findings);
  return findings.error();
}
