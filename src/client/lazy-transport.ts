import type { DescMethodUnary, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { asHoldfastError, type HoldfastError } from '../core/errors.ts';
import type { SubmitBatch, SubmitBatchResult } from '../core/messages.ts';
import type { WatchTasksRequest, WatchTasksResponse } from '../rpc/gen/holdfast/v1/task_service_pb.ts';
import type { CallOptions, Outgoing, StreamEvents, Transport } from './transport.ts';

type OpenStream<In, Out> = (transport: Transport, events: StreamEvents<Out>) => Outgoing<In>;

/**
 * A transport that opens its underlying transport at the first call and keeps it open. If opening fails, the call fails
 * and the next call tries again.
 */
export class LazyTransport implements Transport {
  readonly #open: () => Promise<Transport>;
  #opening: Promise<Transport> | undefined;
  #ready: Transport | undefined;

  constructor(open: () => Promise<Transport>) {
    this.#open = open;
  }

  async submit(batch: SubmitBatch, options: CallOptions): Promise<SubmitBatchResult> {
    return (this.#ready ?? (await this.#opened())).submit(batch, options);
  }

  async call<M extends DescMethodUnary>(
    method: M,
    request: MessageInitShape<M['input']>,
    options: CallOptions,
  ): Promise<MessageShape<M['output']>> {
    return (this.#ready ?? (await this.#opened())).call(method, request, options);
  }

  async *watch(request: WatchTasksRequest, options: CallOptions): AsyncGenerator<WatchTasksResponse> {
    yield* (this.#ready ?? (await this.#opened())).watch(request, options);
  }

  work(events: Parameters<Transport['work']>[0]): ReturnType<Transport['work']> {
    return this.#stream((transport, to) => transport.work(to), events);
  }

  report(events: Parameters<Transport['report']>[0]): ReturnType<Transport['report']> {
    return this.#stream((transport, to) => transport.report(to), events);
  }

  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    this.#ready = undefined;
    const transport = await opening?.catch(() => undefined);
    await transport?.close();
  }

  #opened(): Promise<Transport> {
    this.#opening ??= this.#open().then(
      (transport) => {
        this.#ready = transport;
        return transport;
      },
      (thrown: unknown) => {
        this.#opening = undefined;
        throw thrown;
      },
    );
    return this.#opening;
  }

  #stream<In, Out>(open: OpenStream<In, Out>, events: StreamEvents<Out>): Outgoing<In> {
    if (this.#ready !== undefined) return open(this.#ready, events);
    return new PendingStream(this.#opened(), open, events);
  }
}

/**
 * A stream on a transport that is still being opened. It keeps messages until the transport is open and then sends them
 * in order.
 */
class PendingStream<In, Out> implements Outgoing<In> {
  readonly #opened: Promise<void>;
  #queued: ((stream: Outgoing<In>) => void)[] = [];
  #stream: Outgoing<In> | undefined;

  constructor(opening: Promise<Transport>, open: OpenStream<In, Out>, events: StreamEvents<Out>) {
    this.#opened = opening.then(
      (transport) => this.#start(open(transport, events)),
      (thrown: unknown) => events.end(asHoldfastError(thrown)),
    );
  }

  send(message: In): boolean {
    if (this.#stream !== undefined) return this.#stream.send(message);
    this.#queued.push((stream) => void stream.send(message));
    return true;
  }

  async drained(): Promise<void> {
    await this.#opened;
    await this.#stream?.drained();
  }

  end(): void {
    if (this.#stream !== undefined) this.#stream.end();
    else this.#queued.push((stream) => stream.end());
  }

  abort(error?: HoldfastError): void {
    if (this.#stream !== undefined) this.#stream.abort(error);
    else this.#queued = [(stream) => stream.abort(error)];
  }

  #start(stream: Outgoing<In>): void {
    this.#stream = stream;
    try {
      for (const apply of this.#queued.splice(0)) apply(stream);
    } catch (thrown) {
      // A message that cannot be encoded must not end the process as a rejection that nothing handles.
      stream.abort(asHoldfastError(thrown));
    }
  }
}
