/** Authenticates a gRPC call and builds the call context that its handler needs. */
import type { ServerUnaryCall } from '@grpc/grpc-js';
import { HoldfastError } from '../../../core/errors.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { CallContext } from '../../api/api.ts';
import type { Connection } from '../../auth/connections.ts';
import { identityOf } from '../authenticator.ts';
import { callerOf } from './admitted-calls.ts';

/** The members that all four kinds of grpc-js call have in common. */
export type GrpcCall = Pick<ServerUnaryCall<unknown, unknown>, 'getDeadline' | 'metadata' | 'cancelled'> & {
  on(event: 'cancelled', run: () => void): unknown;
};

/** The error with which a call's AbortSignal is aborted when the caller has disconnected or cancelled the call. */
export const callerGone = new HoldfastError('CANCELLED', 'ABANDONED', 'The caller went away.');

export interface StartedCall {
  readonly context: CallContext;
  readonly connection: Connection;
  readonly abort: AbortController;
}

/**
 * Identifies the caller of a gRPC call, which was admitted at its headers. Throws UNAUTHENTICATED or PERMISSION_DENIED if
 * the server refuses the caller.
 */
export function startCall(call: GrpcCall, { clock }: { readonly clock: Clock }): StartedCall {
  const connection = callerOf(call);
  const identity = identityOf(connection);
  const abort = new AbortController();
  // grpc-js emits 'cancelled' for calls that were answered too. One shared error object saves creating one for each
  // call.
  call.on('cancelled', () => abort.abort(callerGone));
  if (call.cancelled) abort.abort(callerGone);
  // grpc-js makes the deadline of the length that the client sent and of the machine's clock, which `clock.now` corrects.
  const leftMs = Number(call.getDeadline()) - clock.machineNow();
  const traceparent = call.metadata.get('traceparent')[0];
  return {
    connection,
    abort,
    context: {
      identity,
      notAfterMs: Number.isFinite(leftMs) ? clock.monotonic() + leftMs : undefined,
      traceparent: typeof traceparent === 'string' ? traceparent : '',
      signal: abort.signal,
    },
  };
}
