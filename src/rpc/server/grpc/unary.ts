import type { handleUnaryCall } from '@grpc/grpc-js';
import { asHoldfastError, HoldfastError } from '../../../core/errors.ts';
import type { CallContext } from '../../api/api.ts';
import type { Admission } from '../admission.ts';
import type { Parsed } from '../parse.ts';
import { statusOf } from '../status.ts';
import { begin } from './calls.ts';

export function unaryHandler<I, O>(
  admission: Admission,
  run: (input: I, context: CallContext) => Promise<O>,
): handleUnaryCall<Parsed<I>, O> {
  return (call, callback) => {
    const fail = (thrown: unknown): void => callback(statusOf(asHoldfastError(thrown)));
    try {
      const { context } = begin(call, admission);
      const { request } = call;
      if (request instanceof HoldfastError) fail(request);
      else run(request, context).then((output) => callback(null, output), fail);
    } catch (thrown) {
      fail(thrown);
    }
  };
}
