import type { Clock } from '../../ports/clock.ts';
import type { CallOptions } from '../transport.ts';
import type { GrpcChannel } from './channel.ts';
import { abandoned } from './errors.ts';
import type { ServiceError } from './library/grpc-js.ts';
import { asIs, deadlineOf, encoded, headers, unreadable, type Wire } from './unary.ts';

/**
 * Opens a server stream and yields its messages with backpressure. A caller that leaves its `for await` loop cancels
 * the call.
 */
export async function* serverStream<I, O>(
  channel: GrpcChannel,
  clock: Clock,
  wire: Wire<I, O>,
  input: I,
  options: CallOptions,
): AsyncGenerator<O> {
  const { signal } = options;
  if (signal?.aborted === true) throw abandoned();
  const call = channel.client.makeServerStreamRequest(
    wire.path,
    asIs,
    asIs,
    encoded(wire, input),
    headers(options),
    deadlineOf(options, clock),
  );
  call.on('error', () => {});
  const cancel = (): void => call.cancel();
  signal?.addEventListener('abort', cancel);
  try {
    for await (const bytes of call as AsyncIterable<Buffer>) {
      let message: O;
      try {
        message = wire.decode(bytes);
      } catch (thrown) {
        throw unreadable(thrown);
      }
      yield message;
    }
  } catch (thrown) {
    if (typeof (thrown as ServiceError).code !== 'number') throw thrown;
    throw await channel.explain(thrown as ServiceError);
  } finally {
    signal?.removeEventListener('abort', cancel);
    call.cancel();
  }
}
