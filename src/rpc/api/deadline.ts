import { HoldfastError } from '../../core/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { CallContext } from './api.ts';

/**
 * Throws CANCELLED if the caller has gone, or DEADLINE_EXCEEDED if the call's deadline has passed. Must be called right
 * before the work of a call begins.
 */
export function ensureInTime(clock: Clock, context: CallContext): void {
  if (context.signal.aborted) {
    throw new HoldfastError(
      'CANCELLED',
      'ABANDONED',
      'The caller went away before this began; nothing was done.',
    );
  }
  if (context.notAfterMs === undefined || clock.monotonic() <= context.notAfterMs) return;
  throw new HoldfastError(
    'DEADLINE_EXCEEDED',
    'TIMED_OUT',
    'The call’s deadline passed before it began; nothing was done.',
    { help: 'Send it again with a longer deadline.' },
  );
}
