import { type Code, ConnectError } from '@connectrpc/connect';
import { codeNumber } from '../../../core/codec/item-error.ts';
import { asHoldfastError } from '../../../core/errors.ts';
import { detailsOf, messageOf } from '../status.ts';

/** Converts an error to an error of the Connect protocol, with the same message and google.rpc details as over gRPC. */
export function connectError(thrown: unknown): ConnectError {
  if (thrown instanceof ConnectError) return thrown;
  const error = asHoldfastError(thrown);
  const code = codeNumber(error.code) as Code;
  const headers: Record<string, string> = {};
  if (error.retryAfterMs !== undefined)
    headers['retry-after'] = String(Math.ceil(error.retryAfterMs / 1_000));
  const connect = new ConnectError(messageOf(error), code, headers);
  connect.details = detailsOf(error) as ConnectError['details'];
  return connect;
}
