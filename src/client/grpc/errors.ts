/** Converts the failures that grpc-js reports to HoldfastErrors with a cause and a help text. */

import { codeOf } from '../../core/codec/item-error.ts';
import { type Code, HoldfastError, type Reason } from '../../core/errors.ts';
import { notGrpc } from './connection-errors.ts';
import { errorInDetails } from './details.ts';
import { type ServiceError, status } from './library/grpc-js.ts';

/** The fields of a grpc-js error that are used here. */
export type GrpcFailure = Pick<ServiceError, 'code' | 'details' | 'metadata'>;

/** The message of grpc-js for an HTTP answer that is not gRPC. */
const plainHttp = /^Received HTTP status code (\d+)/;

/**
 * Converts a gRPC failure to a HoldfastError. Returns 'connection' if the server was not reached or the connection
 * broke; the caller then finds the cause with a Diagnosis. `address` is the address of the server.
 */
export function errorOf(failure: GrpcFailure, address: string): HoldfastError | 'connection' {
  const detailed = errorInDetails(failure.metadata);
  if (detailed !== undefined) return detailed;
  const { code, details } = failure;
  if (code === status.UNAVAILABLE || lostConnection(failure)) return 'connection';
  const [, httpStatus] = plainHttp.exec(details) ?? [];
  if (httpStatus !== undefined) return notGrpc(address, ` (status ${httpStatus})`);
  const fromStatus = statusErrors[code];
  if (fromStatus !== undefined) return fromStatus(details);
  const name: Code = codeOf(code);
  return new HoldfastError(
    name,
    name === 'PERMISSION_DENIED' ? 'DENIED' : 'BUG',
    `The server answered: ${details}`,
    {
      help: 'Check the address: something between this client and Holdfast, such as a proxy, may have answered.',
    },
  );
}

/** The text of grpc-js for a call that the other side reset with CANCEL; calls that this client cancels have another one. */
const cancelledByPeer = 'Call cancelled';

/**
 * Returns true if the failure is a stream reset that no Holdfast server sends by itself: the connection, or a proxy
 * on the way, broke.
 */
function lostConnection({ code, details }: GrpcFailure): boolean {
  if (code === status.INTERNAL || code === status.UNKNOWN)
    return /RST_STREAM|connection|socket/i.test(details);
  return code === status.CANCELLED && (details === cancelledByPeer || details.includes('RST_STREAM'));
}

/** A function that makes the HoldfastError for a gRPC status from the details of the status. */
type StatusError = (details: string) => HoldfastError;

function statusError(code: Code, reason: Reason, message: string, help: string): StatusError {
  return () => new HoldfastError(code, reason, message, { help });
}

/** The errors for gRPC statuses that grpc-js itself produces, in this client or in the server. */
const statusErrors: Readonly<Partial<Record<number, StatusError>>> = {
  [status.CANCELLED]: statusError(
    'CANCELLED',
    'ABANDONED',
    'The call was cancelled by its caller.',
    'Repeat the call if it is still needed.',
  ),
  [status.DEADLINE_EXCEEDED]: statusError(
    'DEADLINE_EXCEEDED',
    'TIMED_OUT',
    'The server did not answer in time; the call may or may not have taken effect.',
    'Repeat it with the same idempotency key, or give it more time.',
  ),
  [status.RESOURCE_EXHAUSTED]: (details) =>
    /larger than/i.test(details)
      ? new HoldfastError('RESOURCE_EXHAUSTED', 'TOO_LARGE', `A message is too large: ${details}.`, {
          help: 'Send fewer items in one call, or smaller payloads.',
        })
      : new HoldfastError(
          'RESOURCE_EXHAUSTED',
          'SLOW_READER',
          'The server cut a stream because this client read it too slowly.',
          {
            help: 'Open the stream again and read its messages as they arrive.',
          },
        ),
  [status.UNIMPLEMENTED]: (details) =>
    new HoldfastError('UNIMPLEMENTED', 'NOT_BUILT', `The server does not support this call: ${details}.`, {
      help: 'Update the server, or check that this is the address of its gRPC port.',
    }),
};

/** Returns the error of a call that its caller cancelled. */
export function abandoned(): HoldfastError {
  return new HoldfastError('CANCELLED', 'ABANDONED', 'The call was cancelled by its caller.', {
    help: 'Repeat the call if it is still needed.',
  });
}
