import type { handleUnaryCall } from '@grpc/grpc-js';
import { asHoldfastError, HoldfastError } from '../../../core/errors.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { CallContext } from '../../api/api.ts';
import type { Authenticator } from '../authenticator.ts';
import type { ParseResult } from '../parse.ts';
import { statusOf } from '../status.ts';
import { startCall } from './calls.ts';

export function unaryHandler<I, O>(
  deps: { readonly authenticator: Authenticator; readonly clock: Clock },
  run: (input: I, context: CallContext) => Promise<O>,
): handleUnaryCall<ParseResult<I>, O> {
  return (call, callback) => {
    const fail = (thrown: unknown): void => callback(statusOf(asHoldfastError(thrown)));
    try {
      const { context } = startCall(call, deps);
      const { request } = call;
      if (request instanceof HoldfastError) fail(request);
      else run(request, context).then((output) => callback(null, output), fail);
    } catch (thrown) {
      fail(thrown);
    }
  };
}
