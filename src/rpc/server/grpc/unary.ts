import type { handleUnaryCall } from '@grpc/grpc-js';
import { asHoldfastError, HoldfastError } from '../../../core/errors.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { CallContext } from '../../api/api.ts';
import type { Admission } from '../admission/admission.ts';
import type { Work } from '../admission/turns.ts';
import type { ParseResult } from '../parse.ts';
import { statusOf } from '../status.ts';
import { bytesOf } from './admitted-calls.ts';
import { startCall } from './calls.ts';

export interface UnaryDeps {
  readonly clock: Clock;
  readonly admission: Pick<Admission, 'turns'>;
}

export interface UnaryMethod<I, O> {
  run(input: I, context: CallContext): Promise<O>;
  encode(output: O): Buffer;
  /** Returns the work of the call, or undefined if it takes no turn. */
  work(input: I): Work | undefined;
}

/** Returns the gRPC handler of a unary call. The bytes of its answer count in the budget of the node until they are read. */
export function unaryHandler<I, O>(
  deps: UnaryDeps,
  method: UnaryMethod<I, O>,
): handleUnaryCall<ParseResult<I>, Buffer> {
  const { turns } = deps.admission;
  return (call, callback) => {
    const fail = (thrown: unknown): void => callback(statusOf(asHoldfastError(thrown)));
    try {
      const { context } = startCall(call, deps);
      const { request } = call;
      if (request instanceof HoldfastError) return fail(request);
      const bytes = bytesOf(call);
      const run = (): Promise<O> => {
        const refusal = bytes?.refusal();
        return refusal === undefined ? method.run(request, context) : Promise.reject(refusal);
      };
      turns.run(context, method.work(request), run).then((output) => {
        const encoded = method.encode(output);
        bytes?.answer(encoded.length);
        callback(null, encoded);
      }, fail);
    } catch (thrown) {
      fail(thrown);
    }
  };
}
