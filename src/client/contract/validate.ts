/**
 * Validation by Standard Schema. The submitter only checks its input and sends it unchanged; the worker applies the
 * schema, with its defaults and transformations.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { clipChars } from '../../core/clip.ts';
import { HoldfastError, type Violation } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { textOf } from '../../core/untrusted.ts';

type Issue = StandardSchemaV1.Issue;

function pathOf({ path }: Issue): string {
  let text = '';
  for (const part of path ?? []) {
    const key = typeof part === 'object' ? part.key : part;
    text += typeof key === 'number' ? `[${key}]` : `${text === '' ? '' : '.'}${textOf(key)}`;
  }
  return text;
}

/** Converts the issues of a schema to violations, one per issue. */
export function violationsOf(issues: readonly Issue[]): Violation[] {
  return issues.map((issue) => ({ field: pathOf(issue) || 'value', description: textOf(issue.message) }));
}

/**
 * Formats violations as one line: `field: description; field: description`. The line ends where it is as long as a stored
 * error message may be.
 */
export function formatViolations(violations: readonly Violation[]): string {
  let line = '';
  for (const { field, description } of violations) {
    line += `${line === '' ? '' : '; '}${field}: ${description}`;
    if (line.length >= limits.messageBytes) return clipChars(line, limits.messageBytes);
  }
  return line;
}

/** The result of a validation: the value after the schema's transformations, or the violations. */
export type CheckResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly violations: readonly Violation[] };

function toCheckResult<T>(result: StandardSchemaV1.Result<T>): CheckResult<T> {
  if (result.issues !== undefined) return { ok: false, violations: violationsOf(result.issues) };
  return { ok: true, value: result.value };
}

/** Validates a value against a schema. Returns a promise only if the schema is asynchronous. */
export function check<S extends StandardSchemaV1>(
  schema: S,
  value: unknown,
): CheckResult<StandardSchemaV1.InferOutput<S>> | Promise<CheckResult<StandardSchemaV1.InferOutput<S>>> {
  const result = schema['~standard'].validate(value);
  return result instanceof Promise ? result.then((later) => toCheckResult(later)) : toCheckResult(result);
}

/** Returns the INVALID_ARGUMENT error for an input that does not fit its task type; it lists every wrong field. */
export function badInput(type: string, violations: readonly Violation[]): HoldfastError {
  const message = `The input of '${type}' does not fit its contract: ${formatViolations(violations)}`;
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_FIELD', message, {
    violations,
    help: 'Correct the named fields and submit again; nothing was sent.',
  });
}
