import type { handleBidiStreamingCall, ServerDuplexStream } from '@grpc/grpc-js';
import { asHoldfastError, HoldfastError } from '../../../core/errors.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { CallContext, ServerStream, StreamReceiver } from '../../api/api.ts';
import type { CallBytes } from '../admission/receiving-budget.ts';
import type { ParseResult, SizedMessage } from '../parse.ts';
import { statusOf } from '../status.ts';
import { bytesOf } from './admitted-calls.ts';
import { callerGone, startCall } from './calls.ts';
import { GrpcStream } from './grpc-stream.ts';

type StreamOpener<I, O> = (
  stream: ServerStream<O>,
  context: CallContext,
  bytes: CallBytes | undefined,
) => StreamReceiver<I>;

/**
 * Returns the grpc-js handler of a bidirectional stream. `open` is called for each stream, with the bytes that it has in the budget of
 * its node, and returns the receiver of the client's messages.
 */
export function bidiHandler<I, O>(
  { clock }: { readonly clock: Clock },
  encode: (message: O) => Buffer,
  open: StreamOpener<I, O>,
): handleBidiStreamingCall<ParseResult<SizedMessage<I>>, Buffer> {
  return (call) => {
    // Without an 'error' listener an error of the gRPC call would end the process as an uncaught exception.
    call.on('error', () => {});
    try {
      const { context, connection, abort } = startCall(call, { clock });
      const stream = new GrpcStream(call, encode, clock);
      const receiver = open(stream, context, bytesOf(call));
      const closed = forwardRequests(call, stream, receiver);
      const unwatch = connection.watch((error) => {
        stream.end(error);
        closed(error);
        abort.abort(error);
      });
      call.on('cancelled', () => {
        unwatch();
        closed(callerGone);
      });
    } catch (thrown) {
      call.emit('error', statusOf(asHoldfastError(thrown)));
    }
  };
}

/**
 * Forwards the messages of a gRPC stream's client to the receiver, and tells the receiver exactly once that the stream
 * has ended. Returns a function that passes the server's own end of the stream to the receiver in the same way.
 */
function forwardRequests<I, O>(
  call: ServerDuplexStream<ParseResult<SizedMessage<I>>, Buffer>,
  stream: GrpcStream<O>,
  receiver: StreamReceiver<I>,
): (error: HoldfastError | undefined) => void {
  let hasClosed = false;
  const closed = (error: HoldfastError | undefined): void => {
    if (hasClosed) return;
    hasClosed = true;
    receiver.closed(error);
  };
  const fail = (error: HoldfastError): void => {
    stream.end(error);
    closed(error);
  };
  call.on('data', (parsed: ParseResult<SizedMessage<I>>) => {
    if (hasClosed || stream.ended) return;
    if (parsed instanceof HoldfastError) return fail(parsed);
    try {
      receiver.message(parsed.message, parsed.bytes);
    } catch (thrown) {
      fail(asHoldfastError(thrown));
    }
  });
  call.on('end', () => closed(undefined));
  return closed;
}
