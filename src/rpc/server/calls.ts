/** From a gRPC call to what a handler is given. */
import type { ServerUnaryCall } from '@grpc/grpc-js';
import { HoldfastError } from '../../core/errors.ts';
import type { CallContext } from '../api/api.ts';
import type { Connection } from '../auth/connections.ts';
import type { Admission } from './admission.ts';

/** What the kinds of call of grpc-js have in common. */
export type AnyCall = Pick<
  ServerUnaryCall<unknown, unknown>,
  'getPeer' | 'getDeadline' | 'metadata' | 'cancelled'
> & {
  on(event: 'cancelled', run: () => void): unknown;
};

/** The reason of a call's signal. */
export const abandoned = new HoldfastError('CANCELLED', 'ABANDONED', 'The caller went away.');

export interface Begun {
  readonly context: CallContext;
  readonly connection: Connection;
  readonly abort: AbortController;
}

/** Throws where the call is not admitted. */
export function begin(call: AnyCall, admission: Admission): Begun {
  const { identity, connection } = admission.admit(call.getPeer(), call.metadata.getMap());
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
