/** The closed set of codes; each is a gRPC status of the same name. */
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

/** The closed set of reasons: stable names that programs may test. What each means stands in docs/errors.md. */
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
  'STORE_READ_ONLY',
  'SCHEMA_NEWER',
  'DRAINING',
  'UNREACHABLE',
  'NO_CERTIFICATE',
  'CERTIFICATE_REFUSED',
  'DENIED',
  'SLOW_READER',
  'TOO_MANY_STREAMS',
  'TOO_MANY_QUEUES',
  'BAD_SEQUENCE',
  'TIMED_OUT',
  'ABANDONED',
  'TASK_DEAD',
  'TASK_CANCELLED',
  'CONTRACT_MISMATCH',
  'PORT_IN_USE',
  'NOT_BUILT',
  'BUG',
] as const;
export type Reason = (typeof reasons)[number];

export interface Violation {
  readonly field: string;
  readonly description: string;
}

export interface ErrorDetails {
  /** What to do next, as a sentence. */
  readonly help?: string | undefined;
  /** The task that the error is about, or that stands in the way. */
  readonly taskId?: string | undefined;
  /** Do not try again sooner. */
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
  'TIMED_OUT',
]);

/**
 * The one error class. `code` says what kind of failure it is, `reason` which one exactly, the message what
 * happened and `help` what to do next. `retryable`: the same call may succeed later, unchanged.
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
    // The same bytes are too many the next time, too.
    if (this.reason === 'TOO_LARGE') return false;
    return (
      this.code === 'UNAVAILABLE' || this.code === 'RESOURCE_EXHAUSTED' || retryableReasons.has(this.reason)
    );
  }
}

/** Any thrown value as a HoldfastError; what is not one is a defect of ours: INTERNAL, reason BUG. */
export function asHoldfastError(thrown: unknown): HoldfastError {
  if (thrown instanceof HoldfastError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new HoldfastError('INTERNAL', 'BUG', `Holdfast met an unexpected error: ${message}`, {
    cause: thrown,
    help: 'This is a defect. Please report it with the log lines around it.',
  });
}

/** Bad input, with every field that is wrong. */
export function invalid(violations: readonly Violation[]): HoldfastError {
  const told = violations.map((v) => `${v.field}: ${v.description}`).join('; ');
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_FIELD', told, {
    violations,
    help: 'Correct the named fields and send the request again.',
  });
}
