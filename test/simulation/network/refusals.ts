import { HoldfastError } from '../../../src/core/errors.ts';

/** What may fail while nodes do; anything else is a defect. */
export function mustPass(thrown: unknown, what: string): undefined {
  const passes = thrown instanceof HoldfastError && (thrown.retryable || thrown.code === 'DEADLINE_EXCEEDED');
  if (!passes)
    throw thrown instanceof Error && 'invariant' in thrown
      ? thrown
      : new Error(`${what}: ${String(thrown)}`, { cause: thrown });
  return undefined;
}
