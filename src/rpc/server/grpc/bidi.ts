import type { handleBidiStreamingCall, ServerDuplexStream } from '@grpc/grpc-js';
import { asHoldfastError, HoldfastError } from '../../../core/errors.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { CallContext, Received, ServerStream } from '../../api/api.ts';
import type { Admission } from '../admission.ts';
import type { Parsed } from '../parse.ts';
import { statusOf } from '../status.ts';
import { abandoned, begin } from './calls.ts';
import { GrpcStream } from './grpc-stream.ts';

type Open<I, O> = (stream: ServerStream<O>, context: CallContext) => Received<I>;

export function bidiHandler<I, O>(
  { admission, clock }: { readonly admission: Admission; readonly clock: Clock },
  encode: (message: O) => Buffer,
  open: Open<I, O>,
): handleBidiStreamingCall<Parsed<I>, Buffer> {
  return (call) => {
    // A call without a listener for this would take the process with it.
    call.on('error', () => {});
    try {
      const { context, connection, abort } = begin(call, admission);
      const stream = new GrpcStream(call, encode, clock);
      const received = open(stream, context);
      const closed = receive(call, stream, received);
      const unwatch = connection.watch((error) => {
        stream.end(error);
        closed(error);
        abort.abort(error);
      });
      call.on('cancelled', () => {
        unwatch();
        closed(abandoned);
      });
    } catch (thrown) {
      call.emit('error', statusOf(asHoldfastError(thrown)));
    }
  };
}

/** Hands on what comes, and its end once; the answer ends it from this side. */
function receive<I, O>(
  call: ServerDuplexStream<Parsed<I>, Buffer>,
  stream: GrpcStream<O>,
  received: Received<I>,
): (error: HoldfastError | undefined) => void {
  let over = false;
  const closed = (error: HoldfastError | undefined): void => {
    if (over) return;
    over = true;
    received.closed(error);
  };
  const fail = (error: HoldfastError): void => {
    stream.end(error);
    closed(error);
  };
  call.on('data', (message: Parsed<I>) => {
    if (over || stream.ended) return;
    if (message instanceof HoldfastError) return fail(message);
    try {
      received.message(message);
    } catch (thrown) {
      fail(asHoldfastError(thrown));
    }
  });
  call.on('end', () => closed(undefined));
  return closed;
}
