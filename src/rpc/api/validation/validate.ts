/**
 * The one validator. A message's rules are a table, a rule a field (tables.ts); every violation is collected
 * with its path, such as `items[3].options.tags[0]`. The same tables serve the hot plain messages and, after
 * from-wire.ts, the generated ones.
 */
import { type Code, HoldfastError, invalid, type Reason, type Violation } from '../../../core/errors.ts';

/** Reasons that a field may have of its own; all others are BAD_FIELD. */
export type FieldReason = Extract<Reason, 'BAD_JSON' | 'TOO_LARGE' | 'NOT_BUILT'>;

/** What is wrong with a value; a text alone is BAD_FIELD. */
export type Wrong = string | { readonly description: string; readonly reason: FieldReason };

/** Looks at one value; undefined: nothing is wrong. */
export type Rule<V> = (value: V) => Wrong | undefined;

/** Looks at a value that has a place in a message. `parent` is the path above it. */
export type Check<V> = (value: V, parent: string, name: string, findings: Findings) => void;

interface Finding extends Violation {
  readonly reason: FieldReason | undefined;
}

const special: Readonly<Record<FieldReason, { readonly code: Code; readonly help: string }>> = {
  BAD_JSON: {
    code: 'INVALID_ARGUMENT',
    help: 'Send valid UTF-8 JSON, or name the content type that the bytes really are of.',
  },
  TOO_LARGE: {
    code: 'INVALID_ARGUMENT',
    help: 'Store large data elsewhere and send where it lies.',
  },
  NOT_BUILT: {
    code: 'UNIMPLEMENTED',
    help: 'Leave the field out; this version of Holdfast keeps its name for later.',
  },
};

/** Violations found so far, in the order of the tables. */
export class Findings {
  /** For rules about times. */
  readonly nowMs: number;
  #found: Finding[] | undefined;

  constructor(nowMs: number) {
    this.nowMs = nowMs;
  }

  add(parent: string, name: string, wrong: Wrong): void {
    const { description, reason } =
      typeof wrong === 'string' ? { description: wrong, reason: undefined } : wrong;
    this.#found ??= [];
    this.#found.push({ field: path(parent, name), description, reason });
  }

  /** Undefined: nothing is wrong. Where all violations have one special reason, that is the error's. */
  error(): HoldfastError | undefined {
    const found = this.#found;
    const first = found?.[0];
    if (found === undefined || first === undefined) return undefined;
    const violations = found.map(({ field, description }) => ({ field, description }));
    const { reason } = first;
    if (reason === undefined || found.some((f) => f.reason !== reason)) return invalid(violations);
    const { code, help } = special[reason];
    const told = violations.map((v) => `${v.field}: ${v.description}`).join('; ');
    return new HoldfastError(code, reason, told, { violations, help });
  }
}

const bracket = 91;

/** `items` and `[3]`, `items[3]` and `key`. */
export function path(parent: string, name: string): string {
  if (parent === '') return name;
  return name.charCodeAt(0) === bracket ? `${parent}${name}` : `${parent}.${name}`;
}

export function field<V>(rule: Rule<V>): Check<V> {
  return (value, parent, name, findings) => {
    const wrong = rule(value);
    if (wrong !== undefined) findings.add(parent, name, wrong);
  };
}

export function list<V>(count: Rule<number>, each: Check<V>): Check<readonly V[]> {
  return (values, parent, name, findings) => {
    const wrong = count(values.length);
    if (wrong !== undefined) {
      findings.add(parent, name, wrong);
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
/** For `satisfies`: a table that leaves out no field. */
export type EveryField<M> = { readonly [K in keyof M]-?: Check<M[K]> };
/** What no single field can tell. `at` is the message's path. */
type Together<M> = (message: M, at: string, findings: Findings) => void;

export function message<M>(table: Table<M>, together?: Together<M>): Check<M> {
  const keys = Object.keys(table) as (string & keyof M)[];
  const checks = keys.map((key) => table[key]) as Check<unknown>[];
  return (value, parent, name, findings) => {
    const at = name === '' ? parent : path(parent, name);
    // Counted, without iterators: this runs for each field of each task.
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string & keyof M;
      (checks[i] as Check<unknown>)(value[key], at, key, findings);
    }
    together?.(value, at, findings);
  };
}

/** Throws INVALID_ARGUMENT (or the special reason's code) with every violation. */
export function ensure<M>(check: Check<M>, value: M, nowMs: number): void {
  const findings = new Findings(nowMs);
  check(value, '', '', findings);
  const error = findings.error();
  if (error !== undefined) throw error;
}

/** The same for one item of a batch, as a value. */
export function judge<M>(check: Check<M>, value: M, at: string, nowMs: number): HoldfastError | undefined {
  const findings = new Findings(nowMs);
  check(value, at, '', findings);
  return findings.error();
}
