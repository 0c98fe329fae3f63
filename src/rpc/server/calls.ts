/** From a gRPC call to what a handler is given. */
import type { ServerUnaryCall } from '@grpc/grpc-js';
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

export interface Begun {
  readonly context: CallContext;
  readonly connection: Connection;
  readonly abort: AbortController;
}

/** Throws where the call is not admitted. */
export function begin(call: AnyCall, admission: Admission): Begun {
  const { identity, connection } = admission.admit(call.getPeer(), call.metadata.getMap());
  const abort = new AbortController();
  call.on('cancelled', () => abort.abort());
  if (call.cancelled) abort.abort();
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
