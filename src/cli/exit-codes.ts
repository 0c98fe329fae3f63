import { type Code, HoldfastError, type Reason } from '../core/errors.ts';

/** What the command's exit status says; scripts may rely on these. */
export const exitCodes = {
  ok: 0,
  /** The task ended otherwise than by success, or Holdfast itself failed. */
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

/** Where the reason says more than the code: a file or a setting that is wrong is a slip of whoever gave it. */
const byReason: Partial<Record<Reason, number>> = {
  TASK_DEAD: exitCodes.failed,
  TASK_CANCELLED: exitCodes.failed,
  BAD_CERTIFICATE: exitCodes.usage,
  BAD_CONFIGURATION: exitCodes.usage,
};

export function exitCodeOf({ code, reason }: HoldfastError): number {
  return byReason[reason] ?? byCode[code] ?? exitCodes.failed;
}

/** Bad use of the command line. */
export function usage(message: string, help: string): HoldfastError {
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_FIELD', message, { help });
}
