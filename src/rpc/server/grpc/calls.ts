/** Authenticates a gRPC call and builds the call context that its handler needs. */
import type { ServerHttp2Stream } from 'node:http2';
import type { ServerUnaryCall } from '@grpc/grpc-js';
import { HoldfastError } from '../../../core/errors.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { CallContext } from '../../api/api.ts';
import type { Connection } from '../../auth/connections.ts';
import type { Authenticator } from '../authenticator.ts';
import type { GrpcStatus } from '../status.ts';

/** The members that all four kinds of grpc-js call have in common. */
export type GrpcCall = Pick<ServerUnaryCall<unknown, unknown>, 'getDeadline' | 'metadata' | 'cancelled'> & {
  on(event: 'cancelled', run: () => void): unknown;
};

/** Internals of a grpc-js call object. They are undocumented, therefore each of them may be missing. */
export interface GrpcCallInternals {
  readonly call?: { sendStatus?(status: GrpcStatus): void; readonly stream?: ServerHttp2Stream };
}

/**
 * Returns the socket of a call's HTTP/2 session. The remote address cannot identify the connection: two connections to
 * two addresses of this machine may come from the same address and port. Returns undefined if grpc-js hides the socket;
 * the call is then refused.
 */
function socketOf(call: GrpcCall): object | undefined {
  const session = (call as unknown as GrpcCallInternals).call?.stream?.session;
  return session === undefined || session.destroyed ? undefined : session.socket;
}

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
export function startCall(
  call: GrpcCall,
  { authenticator, clock }: { readonly authenticator: Authenticator; readonly clock: Clock },
): StartedCall {
  const { identity, connection } = authenticator.callerOf(socketOf(call));
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
