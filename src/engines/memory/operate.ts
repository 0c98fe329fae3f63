import { HoldfastError } from '../../core/errors.ts';
import type { Faults } from './faults.ts';

/**
 * Runs one call to a port (store, broker or registry). The effect of the call is atomic; only the fault functions before
 * and after it may wait or throw.
 */
export type Operate = <T>(name: string, items: number, effect: () => T) => Promise<T>;

export function closedError(): HoldfastError {
  return new HoldfastError('UNAVAILABLE', 'STORE_FAILED', 'The store was closed.', {
    help: 'Open the store again, or send the request to another process.',
  });
}

export function operator(caller: string, faults: Faults, closed: AbortSignal): Operate {
  return async (name, items, effect) => {
    const operation = { name, caller, items };
    if (faults.before !== undefined) await faults.before(operation);
    if (closed.aborted) throw closedError();
    const result = effect();
    if (faults.after !== undefined) await faults.after(operation);
    return result;
  };
}
