/** From a gRPC call to what a handler is given. */
import type { ServerHttp2Stream } from 'node:http2';
import type { ServerUnaryCall } from '@grpc/grpc-js';
import { HoldfastError } from '../../../core/errors.ts';
import type { CallContext } from '../../api/api.ts';
import type { Connection } from '../../auth/connections.ts';
import type { Admission } from '../admission.ts';
import type { GrpcStatus } from '../status.ts';

/** What the kinds of call of grpc-js have in common. */
export type AnyCall = Pick<ServerUnaryCall<unknown, unknown>, 'getDeadline' | 'metadata' | 'cancelled'> & {
  on(event: 'cancelled', run: () => void): unknown;
};

/** Below the call objects of grpc-js; undocumented, so every part of it may be missing. */
export interface Below {
  readonly call?: { sendStatus?(status: GrpcStatus): void; readonly stream?: ServerHttp2Stream };
}

/**
 * The socket that a call came over, as HTTP/2 shows it. An address would not do: two connections to two addresses of
 * this machine may come from the same one. Where grpc-js hides it nobody is admitted.
 */
function socketOf(call: AnyCall): object | undefined {
  const session = (call as unknown as Below).call?.stream?.session;
  return session === undefined || session.destroyed ? undefined : session.socket;
}

/** The reason of a call's signal. */
export const abandoned = new HoldfastError('CANCELLED', 'ABANDONED', 'The caller went away.');

export interface Begun {
  readonly context: CallContext;
  readonly connection: Connection;
  readonly abort: AbortController;
}

/** Throws where the call is not admitted. */
export function begin(call: AnyCall, admission: Admission): Begun {
  const { identity, connection } = admission.admit(socketOf(call), call.metadata.getMap());
  const abort = new AbortController();
  // Also after every call that was answered; a reason of its own would be an exception made each time.
  call.on('cancelled', () => abort.abort(abandoned));
  if (call.cancelled) abort.abort(abandoned);
  const deadline = Number(call.getDeadline());
  const traceparent = call.metadata.get('traceparent')[0];
  return {
    connection,
    abort,
    context: {
      identity,
      notAfterMs: Number.isFinite(deadline) ? deadline : undefined,
      traceparent: typeof traceparent === 'string' ? traceparent : '',
      signal: abort.signal,
    },
  };
}
