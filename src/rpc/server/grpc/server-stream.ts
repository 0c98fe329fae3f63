import type { handleServerStreamingCall, ServerWritableStream } from '@grpc/grpc-js';
import { asHoldfastError, HoldfastError } from '../../../core/errors.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { CallContext } from '../../api/api.ts';
import type { Admission } from '../admission.ts';
import type { Parsed } from '../parse.ts';
import { statusOf } from '../status.ts';
import { begin } from './calls.ts';
import { GrpcStream } from './grpc-stream.ts';

/** A reader that takes nothing for so long is cut. */
export const slowReaderMs = 60_000;

/** Reads the source no faster than the network takes its messages. */
export function serverStreamHandler<I, O>(
  { admission, clock }: { readonly admission: Admission; readonly clock: Clock },
  encode: (message: O) => Buffer,
  open: (input: I, context: CallContext) => AsyncIterable<O>,
): handleServerStreamingCall<Parsed<I>, Buffer> {
  return (call) => {
    call.on('error', () => {});
    try {
      const { context, connection, abort } = begin(call, admission);
      const { request } = call;
      if (request instanceof HoldfastError) throw request;
      const stream = new GrpcStream(call, encode, clock);
      const unwatch = connection.watch((error) => {
        stream.end(error);
        abort.abort(error);
      });
      void pour(open(request, context), stream, call, clock).finally(unwatch);
    } catch (thrown) {
      call.emit('error', statusOf(asHoldfastError(thrown)));
    }
  };
}

async function pour<I, O>(
  source: AsyncIterable<O>,
  stream: GrpcStream<O>,
  call: ServerWritableStream<I, Buffer>,
  clock: Clock,
): Promise<void> {
  try {
    for await (const message of source) {
      if (stream.ended || call.destroyed) return;
      await taken(stream, message, call, clock);
    }
    stream.end();
  } catch (thrown) {
    stream.end(asHoldfastError(thrown));
  }
}

/** Resolves when the network took it, or when the stream is over; rejects with SLOW_READER. */
function taken<I, O>(
  stream: GrpcStream<O>,
  message: O,
  call: ServerWritableStream<I, Buffer>,
  clock: Clock,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(slowReaderMs, () => reject(slowReader));
    const done = (): void => {
      cancel();
      call.off('close', done);
      resolve();
    };
    call.once('close', done);
    stream.write(message, done);
  });
}

const slowReader = new HoldfastError(
  'RESOURCE_EXHAUSTED',
  'SLOW_READER',
  `Nothing was read from this stream for ${slowReaderMs / 1_000} s; it was cut.`,
  { help: 'Read the stream as it comes, then open it again from where you are.' },
);
