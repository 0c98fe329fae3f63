import { type Code, HoldfastError, type Reason } from '../core/errors.ts';

/** The exit statuses of the `holdfast` command. Scripts may rely on them. */
export const exitCodes = {
  ok: 0,
  /** The awaited task died or was cancelled, or Holdfast itself failed. */
  failed: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  unavailable: 5,
  denied: 6,
  interrupted: 130,
} as const;

const byCode: Partial<Record<Code, number>> = {
  INVALID_ARGUMENT: exitCodes.usage,
  OUT_OF_RANGE: exitCodes.usage,
  NOT_FOUND: exitCodes.notFound,
  ALREADY_EXISTS: exitCodes.conflict,
  FAILED_PRECONDITION: exitCodes.conflict,
  ABORTED: exitCodes.conflict,
  UNAVAILABLE: exitCodes.unavailable,
  RESOURCE_EXHAUSTED: exitCodes.unavailable,
  DEADLINE_EXCEEDED: exitCodes.unavailable,
  PERMISSION_DENIED: exitCodes.denied,
  UNAUTHENTICATED: exitCodes.denied,
  CANCELLED: exitCodes.interrupted,
};

/**
 * The exit statuses of error reasons that are more specific than their error code. A wrong file or setting, for
 * example, is a usage error.
 */
const byReason: Partial<Record<Reason, number>> = {
  TASK_DEAD: exitCodes.failed,
  TASK_CANCELLED: exitCodes.failed,
  ROLLOUT_FAILED: exitCodes.failed,
  BAD_CERTIFICATE: exitCodes.usage,
  BAD_CONFIGURATION: exitCodes.usage,
};

export function exitCodeOf({ code, reason }: HoldfastError): number {
  return byReason[reason] ?? byCode[code] ?? exitCodes.failed;
}

/** Returns the error for a mistake on the command line. */
export function usage(message: string, help: string): HoldfastError {
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_FIELD', message, { help });
}
