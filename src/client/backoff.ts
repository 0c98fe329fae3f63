import { delayMs } from '../core/backoff.ts';
import type { HoldfastError, Reason } from '../core/errors.ts';
import { HoldfastError as AnError } from '../core/errors.ts';
import type { ItemError } from '../core/messages.ts';

const reconnectBackoff = { firstMs: 50, longestMs: 5_000 } as const;

/**
 * Returns the milliseconds to wait before the next try: exponential from 50 ms to 5 s with half jitter, and never less
 * than `retryAfterMs`, the wait that the server requested. `attempt` counts the failed tries so far, from 0.
 */
export function reconnectMs(attempt: number, random: number, retryAfterMs = 0): number {
  const ceiling = delayMs(reconnectBackoff, attempt);
  return Math.max(retryAfterMs, Math.round(ceiling * (0.5 + random / 2)));
}

/** The tries to open a stream again that follow each other quickly: they cover about 5 s, in which a server restarts. */
const quickTries = 32;
const quickBackoff = { firstMs: 50, longestMs: 200 } as const;
const slowBackoff = { firstMs: 400, longestMs: 5_000 } as const;

/**
 * Returns the milliseconds to wait before a worker tries to open its stream again. The first 32 tries come within 200 ms
 * of each other, so that a worker is back soon after its server has restarted. After that the wait doubles up to 5 s.
 * Half jitter, and never less than `retryAfterMs`. `attempt` counts the failed tries so far, from 0.
 */
export function reopenMs(attempt: number, random: number, retryAfterMs = 0): number {
  const ceiling =
    attempt < quickTries ? delayMs(quickBackoff, attempt) : delayMs(slowBackoff, attempt - quickTries);
  return Math.max(retryAfterMs, Math.round(ceiling * (0.5 + random / 2)));
}

/** Error reasons that a repeated call would get again until the configuration or the permissions change. */
const lastingReasons: ReadonlySet<Reason> = new Set([
  'NO_CERTIFICATE',
  'CERTIFICATE_REFUSED',
  'CERTIFICATE_EXPIRED',
  'BAD_CERTIFICATE',
  'DENIED',
  'BAD_CONFIGURATION',
]);

/**
 * Returns true if the certificate of one side is out of its time, on a connection that the server has answered before
 * (`wasServed`). An operator renews it while both sides run, so what lasts longer than a call goes on until then.
 */
function awaitsRenewal(error: HoldfastError, wasServed: boolean): boolean {
  return wasServed && error.reason === 'CERTIFICATE_EXPIRED';
}

/** Returns true if a call that failed with this error may be repeated, given that repeating it has no second effect. */
export function mayRepeat(error: HoldfastError, wasServed = false): boolean {
  if (awaitsRenewal(error, wasServed)) return true;
  if (lastingReasons.has(error.reason)) return false;
  return error.retryable || error.code === 'DEADLINE_EXCEEDED' || error.code === 'ABORTED';
}

/**
 * Returns true if the error will not go away by itself: wrong certificate, missing permission, wrong configuration.
 * `wasServed` is true if the server has answered before.
 */
export function isLasting(error: HoldfastError, wasServed = false): boolean {
  if (awaitsRenewal(error, wasServed)) return false;
  return (
    lastingReasons.has(error.reason) || error.code === 'UNAUTHENTICATED' || error.code === 'PERMISSION_DENIED'
  );
}

/** Converts the error of one item in a batch response to a HoldfastError. */
export function errorOf(item: ItemError): HoldfastError {
  const { code, reason, message, help, taskId, retryAfterMs, violations } = item;
  return new AnError(code, reason, message, { help, taskId, retryAfterMs, violations });
}
