/** Gives the errors with which Connect answers a request by itself the codes and reasons that the gRPC listener answers. */
import { Code, ConnectError, createContextKey, type HandlerContext } from '@connectrpc/connect';
import { type ErrorDetails, HoldfastError } from '../../../core/errors.ts';
import { connectError } from './connect-error.ts';

/** The key of a context value that is true once the handler of the call has begun. */
export const begunKey = createContextKey(false);

/** Connect's own part of a call's context, with which it aborts the call before it writes an error. It is undocumented. */
interface AbortableContext extends HandlerContext {
  abort(reason?: unknown): void;
}

/**
 * The gate of every request (`requestGate` of Connect). Connect calls a body INTERNAL (500) that is no protobuf message or
 * cannot be decompressed, and names no reason with any of its errors. Until the handler of a call has begun only the
 * request can be at fault. So such an error is changed before Connect writes it.
 */
export function markMalformed(handler: HandlerContext): void {
  const context = handler as AbortableContext;
  const { abort, values } = context;
  context.abort = (reason) => {
    // The errors of Holdfast have details.
    if (reason instanceof ConnectError && reason.details.length === 0) replace(reason, values.get(begunKey));
    abort(reason);
  };
}

function replace(error: ConnectError, hasBegun: boolean): void {
  const explained = explain(error, hasBegun);
  if (explained === undefined) return;
  const { code, message, rawMessage, details } = connectError(explained);
  Object.assign(error, { code, message, rawMessage, details });
}

function explain({ code, rawMessage }: ConnectError, hasBegun: boolean): HoldfastError | undefined {
  if (code === Code.DeadlineExceeded)
    return new HoldfastError('DEADLINE_EXCEEDED', 'TIMED_OUT', timedOut, again);
  if (code === Code.Canceled) return new HoldfastError('CANCELLED', 'ABANDONED', 'The caller went away.');
  if (hasBegun) return undefined;
  const why = `The request is malformed: ${rawMessage}.`;
  if (code === Code.ResourceExhausted)
    return new HoldfastError('RESOURCE_EXHAUSTED', 'TOO_LARGE', why, fewer);
  if (code === Code.Unimplemented) return new HoldfastError('UNIMPLEMENTED', 'NOT_BUILT', why, known);
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_FIELD', why, known);
}

const timedOut = 'The deadline of the call has passed.';
const again: ErrorDetails = {
  help: 'Repeat the call with the same key or request id, and with a longer timeout.',
};
const fewer: ErrorDetails = { help: 'Send fewer items in one call.' };
const known: ErrorDetails = {
  help: 'Send messages of the schema holdfast.v1 in the format that the content-type names.',
};
