import { HoldfastError } from '../../../src/core/errors.ts';

/** Ignores an error that is expected while nodes fail. Throws any other error, because it shows a defect of Holdfast. */
export function rethrowUnlessTransient(thrown: unknown, action: string): undefined {
  const isTransient =
    thrown instanceof HoldfastError && (thrown.retryable || thrown.code === 'DEADLINE_EXCEEDED');
  if (!isTransient)
    throw thrown instanceof Error && 'invariant' in thrown
      ? thrown
      : new Error(`${action}: ${String(thrown)}`, { cause: thrown });
  return undefined;
}
