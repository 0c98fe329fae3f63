import type { HoldfastError, Reason } from '../core/errors.ts';
import { HoldfastError as AnError } from '../core/errors.ts';
import type { ItemError } from '../core/messages.ts';

const baseMs = 50;
const maxMs = 5_000;

/** How long before try number `attempt` + 1: exponential with half jitter, never sooner than the server asked. */
export function reconnectMs(attempt: number, random: number, retryAfterMs = 0): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 16));
  return Math.max(retryAfterMs, Math.round(ceiling * (0.5 + random / 2)));
}

/** Trying again would meet the same wall. */
const lasting: ReadonlySet<Reason> = new Set([
  'NO_CERTIFICATE',
  'CERTIFICATE_REFUSED',
  'BAD_CERTIFICATE',
  'DENIED',
  'BAD_CONFIGURATION',
]);

/** Whether a call that carries an idempotency key, or changes nothing, may be made again. */
export function mayRepeat(error: HoldfastError): boolean {
  if (lasting.has(error.reason)) return false;
  return error.retryable || error.code === 'DEADLINE_EXCEEDED' || error.code === 'ABORTED';
}

export function isLasting(error: HoldfastError): boolean {
  return lasting.has(error.reason) || error.code === 'UNAUTHENTICATED' || error.code === 'PERMISSION_DENIED';
}

export function errorOf(item: ItemError): HoldfastError {
  const { code, reason, message, help, taskId, retryAfterMs, violations } = item;
  return new AnError(code, reason, message, { help, taskId, retryAfterMs, violations });
}
