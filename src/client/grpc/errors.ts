/** What grpc-js reports, as a HoldfastError that says what happened and what to do. */
import { type ServiceError, status } from '@grpc/grpc-js';
import { codeOf } from '../../core/codec/item-error.ts';
import { type Code, HoldfastError, type Reason } from '../../core/errors.ts';
import { errorInDetails } from './details.ts';
import { noGrpc } from './why.ts';

export type Failure = Pick<ServiceError, 'code' | 'details' | 'metadata'>;

/** What grpc-js says of an answer that is HTTP and no gRPC. */
const plainHttp = /^Received HTTP status code (\d+)/;

/**
 * `address`: where the call went. 'connection': the server was not reached, or the connection broke: whoever asks finds
 * out why.
 */
export function errorOf(failure: Failure, address: string): HoldfastError | 'connection' {
  const told = errorInDetails(failure.metadata);
  if (told !== undefined) return told;
  const { code, details } = failure;
  if (code === status.UNAVAILABLE || lostConnection(failure)) return 'connection';
  const [, httpStatus] = plainHttp.exec(details) ?? [];
  if (httpStatus !== undefined) return noGrpc(address, ` (status ${httpStatus})`);
  const known = plain[code];
  if (known !== undefined) return known(details);
  const name: Code = codeOf(code);
  return new HoldfastError(
    name,
    name === 'PERMISSION_DENIED' ? 'DENIED' : 'BUG',
    `The server answered: ${details}`,
    {
      help: 'Something between this client and Holdfast may have answered: check the address.',
    },
  );
}

/** A reset of the stream that no Holdfast server sends in order: the connection or what lies between broke. */
function lostConnection({ code, details }: Failure): boolean {
  if (code === status.INTERNAL || code === status.UNKNOWN)
    return /RST_STREAM|connection|socket/i.test(details);
  return code === status.CANCELLED && details.includes('RST_STREAM');
}

type Plain = (details: string) => HoldfastError;

function make(code: Code, reason: Reason, message: string, help: string): Plain {
  return () => new HoldfastError(code, reason, message, { help });
}

/** Statuses that grpc-js itself makes, here or in the server. */
const plain: Readonly<Partial<Record<number, Plain>>> = {
  [status.CANCELLED]: make(
    'CANCELLED',
    'ABANDONED',
    'The call was given up.',
    'Call again if it still matters.',
  ),
  [status.DEADLINE_EXCEEDED]: make(
    'DEADLINE_EXCEEDED',
    'TIMED_OUT',
    'No answer came in time; the call may or may not have taken effect.',
    'Send it again with the same idempotency key, or give it more time.',
  ),
  [status.RESOURCE_EXHAUSTED]: (details) =>
    /larger than/i.test(details)
      ? new HoldfastError('RESOURCE_EXHAUSTED', 'TOO_LARGE', `A message is too large: ${details}.`, {
          help: 'Send fewer items in one call, or smaller payloads.',
        })
      : new HoldfastError('RESOURCE_EXHAUSTED', 'SLOW_READER', 'The server cut a stream that was not read.', {
          help: 'Read the stream as it comes, then open it again.',
        }),
  [status.UNIMPLEMENTED]: (details) =>
    new HoldfastError('UNIMPLEMENTED', 'NOT_BUILT', `The server does not know this call: ${details}.`, {
      help: 'Update the server, or check that the address is that of its gRPC port.',
    }),
};

export function abandoned(): HoldfastError {
  return new HoldfastError('CANCELLED', 'ABANDONED', 'The call was given up.', {
    help: 'Call again if it still matters.',
  });
}
