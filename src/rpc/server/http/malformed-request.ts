/** Answers requests over HTTP that cannot be read with INVALID_ARGUMENT (400), as the gRPC listener does. */
import { Code, ConnectError, createContextKey, type HandlerContext } from '@connectrpc/connect';
import { HoldfastError } from '../../../core/errors.ts';
import { connectError } from './connect-error.ts';

/** The key of a context value that is true once the handler of the call has begun. */
export const begunKey = createContextKey(false);

/**
 * The gate of every request (`requestGate` of Connect). Connect calls a body INTERNAL (500) that is no protobuf message or
 * cannot be decompressed. Until the handler of a call has begun only the request can be at fault, so such an error is
 * changed before Connect writes it: Connect aborts the signal of the call with the error first.
 */
export function markMalformed({ signal, values }: HandlerContext): void {
  signal.addEventListener('abort', () => {
    const error: unknown = signal.reason;
    if (values.get(begunKey) || !(error instanceof ConnectError) || error.code !== Code.Internal) return;
    const { code, message, rawMessage, details } = connectError(malformed(error.rawMessage));
    Object.assign(error, { code, message, rawMessage, details });
  });
}

function malformed(why: string): HoldfastError {
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_FIELD', `The request is malformed: ${why}.`, {
    help: 'Send messages of the schema holdfast.v1 in the format that the content-type names.',
  });
}
