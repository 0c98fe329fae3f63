/** Refusals as problem details (RFC 9457). */
import { STATUS_CODES } from 'node:http';
import { asHoldfastError, type Code, type HoldfastError, type Reason } from '../core/errors.ts';

/** The members of a problem beside `title`, `status` and `detail`. */
export interface ProblemMembers {
  /** The reason of docs/errors.md, for programs. */
  readonly reason: Reason;
  /** The id of the task that has the idempotency key. */
  readonly taskId?: string | undefined;
  /** The fields of the input that do not fit the task type. */
  readonly errors?: readonly { readonly field: string; readonly detail: string }[] | undefined;
}

/** Returns an answer of the type application/problem+json. Its `type` is left out, which means about:blank. */
export function problem(
  status: number,
  detail: string,
  members: ProblemMembers,
  headers: Record<string, string> = {},
): Response {
  const body = { title: STATUS_CODES[status], status, detail, ...members };
  return new Response(`${JSON.stringify(body)}\n`, {
    status,
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...headers },
  });
}

const statuses: Partial<Record<Code, number>> = {
  INVALID_ARGUMENT: 422,
  ALREADY_EXISTS: 409,
  NOT_FOUND: 404,
  UNAVAILABLE: 503,
  RESOURCE_EXHAUSTED: 503,
  DEADLINE_EXCEEDED: 504,
};

/** The errors of the server's own configuration, which are no business of the caller. */
const ofServer: ReadonlySet<Reason> = new Set(['BAD_CONFIGURATION', 'QUEUE_UNKNOWN', 'BUG']);

/** Returns the status with which an error is answered; 500 if the caller can do nothing about it. */
export function statusOfError({ code, reason }: HoldfastError): number {
  if (reason === 'TOO_LARGE') return 413;
  return ofServer.has(reason) ? 500 : (statuses[code] ?? 500);
}

/** Returns the answer to a call that failed. An answer of status 500 says nothing about the error. */
export function problemOf(thrown: unknown): Response {
  const error = asHoldfastError(thrown);
  const status = statusOfError(error);
  if (status === 500) return problem(500, 'The server could not do this.', { reason: 'BUG' });
  const { message, reason, taskId, violations } = error;
  if (status >= 503) {
    const seconds = Math.max(1, Math.ceil((error.retryAfterMs ?? 0) / 1_000));
    const detail = 'The server is not available now. Try again with the same Idempotency-Key.';
    return problem(status, detail, { reason }, { 'retry-after': String(seconds) });
  }
  const errors = violations.map(({ field, description }) => ({ field, detail: description }));
  return problem(status, message, { reason, taskId, errors: errors.length === 0 ? undefined : errors });
}
