import type { handleServerStreamingCall, ServerWritableStream } from '@grpc/grpc-js';
import { asHoldfastError, HoldfastError } from '../../../core/errors.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { CallContext } from '../../api/api.ts';
import type { Admission } from '../admission/admission.ts';
import type { Work } from '../admission/turns.ts';
import type { ParseResult } from '../parse.ts';
import { statusOf } from '../status.ts';
import { startCall } from './calls.ts';
import { GrpcStream } from './grpc-stream.ts';

/** Time in ms after which a stream whose client reads nothing is cut with SLOW_READER. */
export const slowReaderMs = 60_000;

export interface StreamDeps {
  readonly clock: Clock;
  readonly admission: Pick<Admission, 'turns'>;
}

/**
 * Returns the gRPC handler of a server-streaming call, which begins at its turn. The handler takes messages from the iterable that `open` returns
 * no faster than the network accepts them.
 */
export function serverStreamHandler<I, O>(
  { clock, admission }: StreamDeps,
  encode: (message: O) => Buffer,
  open: (input: I, context: CallContext) => AsyncIterable<O>,
  work: (input: I) => Work,
): handleServerStreamingCall<ParseResult<I>, Buffer> {
  return (call) => {
    call.on('error', () => {});
    try {
      const { context, connection, abort } = startCall(call, { clock });
      const { request } = call;
      if (request instanceof HoldfastError) throw request;
      const stream = new GrpcStream(call, encode, clock);
      const unwatch = connection.watch((error) => {
        stream.end(error);
        abort.abort(error);
      });
      const opened = admission.turns.run(context, work(request), async () => open(request, context));
      void opened
        .then(
          (source) => pipeToStream(source, stream, call, clock),
          (thrown: unknown) => stream.end(asHoldfastError(thrown)),
        )
        .finally(unwatch);
    } catch (thrown) {
      call.emit('error', statusOf(asHoldfastError(thrown)));
    }
  };
}

async function pipeToStream<I, O>(
  source: AsyncIterable<O>,
  stream: GrpcStream<O>,
  call: ServerWritableStream<I, Buffer>,
  clock: Clock,
): Promise<void> {
  try {
    for await (const message of source) {
      if (stream.ended || call.destroyed) return;
      await writeAndWait(stream, message, call, clock);
    }
    stream.end();
  } catch (thrown) {
    stream.end(asHoldfastError(thrown));
  }
}

/**
 * Sends a message on a stream. Resolves once the network has accepted the message or the stream has ended. Rejects with
 * SLOW_READER if neither happens within 60 s.
 */
function writeAndWait<I, O>(
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
  { help: 'Read the stream as it comes, then open it again from the last version that you read.' },
);
