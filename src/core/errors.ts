import { isInstance, messageOf } from './untrusted.ts';

/** The closed set of error codes; each is a gRPC status of the same name. */
export const codes = [
  'CANCELLED',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;
export type Code = (typeof codes)[number];

/** The closed set of error reasons: stable names that programs may test. docs/errors.md explains each of them. */
export const reasons = [
  'BAD_FIELD',
  'BAD_JSON',
  'BAD_CONFIGURATION',
  'BAD_CERTIFICATE',
  'TOO_LARGE',
  'KEY_REUSED',
  'TASK_NOT_FOUND',
  'QUEUE_UNKNOWN',
  'TASK_ENDED',
  'NOT_DEAD',
  'EXPIRES_SOON',
  'HAND_OVER_PENDING',
  'LEASE_LOST',
  'OUTCOME_RECORDED',
  'NO_CANCEL_REQUESTED',
  'CONFLICT',
  'STORE_FULL',
  'STORE_BUSY',
  'STORE_FAILED',
  'STORE_LOCKED',
  'STORE_CORRUPT',
  'STORE_MOVED',
  'STORE_READ_ONLY',
  'SCHEMA_NEWER',
  'DRAINING',
  'UNREACHABLE',
  'NO_CERTIFICATE',
  'CERTIFICATE_REFUSED',
  'CERTIFICATE_EXPIRED',
  'DENIED',
  'SLOW_READER',
  'TOO_MANY_STREAMS',
  'TOO_MANY_CALLS',
  'TOO_MANY_CONNECTIONS',
  'TOO_MANY_QUEUES',
  'LIMIT_REACHED',
  'BAD_SEQUENCE',
  'TIMED_OUT',
  'ABANDONED',
  'TASK_DEAD',
  'TASK_CANCELLED',
  'CONTRACT_MISMATCH',
  'PORT_IN_USE',
  'DEPLOYMENT_NOT_FOUND',
  'ROLLOUT_FAILED',
  'NOT_BUILT',
  'BUG',
] as const;
export type Reason = (typeof reasons)[number];

export interface Violation {
  readonly field: string;
  readonly description: string;
}

export interface ErrorDetails {
  /** A sentence that says what the caller can do next after the error. */
  readonly help?: string | undefined;
  /** The id of the task that the error is about, or of another task that caused the error. */
  readonly taskId?: string | undefined;
  /** The earliest time for another try of the failed call, in ms from now. */
  readonly retryAfterMs?: number | undefined;
  readonly violations?: readonly Violation[] | undefined;
  readonly cause?: unknown;
}

const retryableReasons: ReadonlySet<Reason> = new Set([
  'STORE_BUSY',
  'STORE_FULL',
  'STORE_FAILED',
  'DRAINING',
  'UNREACHABLE',
  'HAND_OVER_PENDING',
  'CONFLICT',
  'SLOW_READER',
  'TOO_MANY_STREAMS',
  'LIMIT_REACHED',
  'TOO_MANY_CALLS',
  'TOO_MANY_CONNECTIONS',
  'TIMED_OUT',
]);

/**
 * The one error class of Holdfast. `code` is the kind of failure, `reason` the exact failure, `message` describes it,
 * and `help` says what to do next. `retryable` is true if the same call, unchanged, may succeed later.
 */
export class HoldfastError extends Error {
  override readonly name: string = 'HoldfastError';
  readonly code: Code;
  readonly reason: Reason;
  readonly help: string | undefined;
  readonly taskId: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly violations: readonly Violation[];

  constructor(code: Code, reason: Reason, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.reason = reason;
    this.help = details.help;
    this.taskId = details.taskId;
    this.retryAfterMs = details.retryAfterMs;
    this.violations = details.violations ?? [];
  }

  get retryable(): boolean {
    // A message that is too large for one call is too large for every retry of the call, and no queue ever goes.
    if (this.reason === 'TOO_LARGE' || this.reason === 'TOO_MANY_QUEUES') return false;
    return (
      this.code === 'UNAVAILABLE' || this.code === 'RESOURCE_EXHAUSTED' || retryableReasons.has(this.reason)
    );
  }
}

/**
 * Returns a thrown value as a HoldfastError. A value of any other class is a defect of Holdfast: INTERNAL, reason BUG.
 */
export function asHoldfastError(thrown: unknown): HoldfastError {
  if (isInstance(thrown, HoldfastError)) return thrown;
  const message = `Holdfast failed with an unexpected error: ${messageOf(thrown)}`;
  return new HoldfastError('INTERNAL', 'BUG', message, {
    cause: thrown,
    help: 'This is a defect of Holdfast. Please report it with the log lines around it.',
  });
}

/** Returns the error for a request with bad input. The error names every wrong field. */
export function invalid(violations: readonly Violation[]): HoldfastError {
  const message = violations.map((v) => `${v.field}: ${v.description}`).join('; ');
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_FIELD', message, {
    violations,
    help: 'Correct the named fields and send the request again.',
  });
}
