/** Standard Schema at both ends: the caller's input is checked but sent as given; the worker applies the schema. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { HoldfastError, type Violation } from '../../core/errors.ts';

type Issue = StandardSchemaV1.Issue;

function pathOf({ path }: Issue): string {
  let told = '';
  for (const part of path ?? []) {
    const key = typeof part === 'object' ? part.key : part;
    told += typeof key === 'number' ? `[${key}]` : `${told === '' ? '' : '.'}${String(key)}`;
  }
  return told;
}

export function violationsOf(issues: readonly Issue[]): Violation[] {
  return issues.map((issue) => ({ field: pathOf(issue) || 'value', description: issue.message }));
}

export function tell(violations: readonly Violation[]): string {
  return violations.map(({ field, description }) => `${field}: ${description}`).join('; ');
}

export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly violations: readonly Violation[] };

function judged<T>(result: StandardSchemaV1.Result<T>): Checked<T> {
  if (result.issues !== undefined) return { ok: false, violations: violationsOf(result.issues) };
  return { ok: true, value: result.value };
}

/** A promise only where the schema itself is asynchronous. */
export function check<S extends StandardSchemaV1>(
  schema: S,
  value: unknown,
): Checked<StandardSchemaV1.InferOutput<S>> | Promise<Checked<StandardSchemaV1.InferOutput<S>>> {
  const result = schema['~standard'].validate(value);
  return result instanceof Promise ? result.then((later) => judged(later)) : judged(result);
}

/** The caller's own mistake: INVALID_ARGUMENT, with every field that is wrong. */
export function badInput(type: string, violations: readonly Violation[]): HoldfastError {
  const told = `The input of '${type}' does not fit its contract: ${tell(violations)}`;
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_FIELD', told, {
    violations,
    help: 'Correct the named fields and submit again; nothing was sent.',
  });
}
