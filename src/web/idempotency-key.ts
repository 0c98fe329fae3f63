import type { TaskType } from '../client/contract/task.ts';
import { limits } from '../core/limits.ts';
import { problem } from './problem.ts';

/** A key in quotation marks, as draft-ietf-httpapi-idempotency-key-header writes it. */
const quoted = /^"((?:[^"\\]|\\["\\])*)"$/;

/**
 * Returns the idempotency key of a submission: that of the header `Idempotency-Key`, with or without quotation marks, else the
 * one that the task type derives from the input, else undefined. Returns the refusal instead if the header has a bad one.
 */
export function idempotencyKeyOf(
  { headers }: Request,
  { contract }: TaskType,
  input: unknown,
): { readonly key: string | undefined } | Response {
  const header = headers.get('idempotency-key');
  if (header === null) return { key: contract.idempotencyKey?.(input) };
  const [, inner] = quoted.exec(header) ?? [];
  const key = inner?.replaceAll(/\\(["\\])/g, '$1') ?? header;
  if (key !== '' && key.length <= limits.keyChars) return { key };
  const detail = `Idempotency-Key: give 1 to ${limits.keyChars} characters, or leave it out.`;
  return problem(400, detail, { reason: 'BAD_FIELD' });
}
