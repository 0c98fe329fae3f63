import { HoldfastError } from '../../src/core/errors.ts';

/** As of a store that does not answer. */
export function storeError(): HoldfastError {
  return new HoldfastError('UNAVAILABLE', 'STORE_FAILED', 'The store did not answer.');
}
