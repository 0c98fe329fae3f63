import { create, type DescMethodUnary, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf';
import type { CallOptions, Outgoing, StreamEvents, Transport } from '../../../src/client/transport.ts';
import { asHoldfastError, type HoldfastError } from '../../../src/core/errors.ts';
import type {
  ReportRequest,
  ReportResponse,
  SubmitBatch,
  SubmitBatchResult,
  WorkRequest,
  WorkResponse,
} from '../../../src/core/messages.ts';
import {
  type WatchTasksRequest,
  WatchTasksRequestSchema,
  type WatchTasksResponse,
  WatchTasksResponseSchema,
} from '../../../src/rpc/gen/holdfast/v1/task_service_pb.ts';
import type { Network } from './network.ts';
import type { SimProcess } from './process.ts';
import { recode } from './recode.ts';
import { SimCall } from './sim-call.ts';
import { SimStream, type StreamKind } from './sim-stream.ts';

const workKind: StreamKind<WorkRequest, WorkResponse> = {
  serve: (api, stream, context) => api.work(stream, context),
  there: recode.workRequest,
  back: recode.workResponse,
};

const reportKind: StreamKind<ReportRequest, ReportResponse> = {
  serve: (api, stream, context) => api.report(stream, context),
  there: recode.reportRequest,
  back: recode.reportResponse,
};

function watchKind(request: WatchTasksRequest): StreamKind<object, WatchTasksResponse> {
  const received = recode.generated(WatchTasksRequestSchema, request);
  return {
    serve(api, stream, context) {
      const sendUpdates = async (): Promise<void> => {
        for await (const update of api.watch(received, context)) stream.send(update);
      };
      sendUpdates().then(
        () => stream.end(),
        (thrown: unknown) => stream.end(asHoldfastError(thrown)),
      );
      return { message() {}, closed() {} };
    },
    there: (message) => message,
    back: (update) => recode.generated(WatchTasksResponseSchema, update),
  };
}

/** The SDK's transport of one client process on the simulated network. Closing the transport aborts its open streams. */
export class SimTransport implements Transport {
  readonly #network: Network;
  readonly #process: SimProcess;
  readonly #open = new Set<Outgoing<never>>();

  constructor(network: Network, process: SimProcess) {
    this.#network = network;
    this.#process = process;
  }

  submit(batch: SubmitBatch, options: CallOptions): Promise<SubmitBatchResult> {
    const received = recode.submitBatch(batch);
    return new SimCall(this.#network, this.#process, options, async (api, context) =>
      recode.submitResult(await api.submit(received, context)),
    ).promise;
  }

  call<M extends DescMethodUnary>(
    method: M,
    request: MessageInitShape<M['input']>,
    options: CallOptions,
  ): Promise<MessageShape<M['output']>> {
    const received = recode.generated(method.input, create(method.input as M['input'], request));
    return new SimCall(this.#network, this.#process, options, async (api, context) => {
      const response = await api.call(method, received as MessageShape<M['input']>, context);
      return recode.generated(method.output as M['output'], response);
    }).promise;
  }

  async *watch(request: WatchTasksRequest, { signal }: CallOptions): AsyncGenerator<WatchTasksResponse> {
    const inbox: WatchTasksResponse[] = [];
    let ended: { readonly error: HoldfastError | undefined } | undefined;
    let wake = (): void => {};
    const stream = this.#stream(watchKind(request), {
      message: (update) => {
        inbox.push(update);
        wake();
      },
      end: (error) => {
        ended = { error };
        wake();
      },
    });
    const abandon = (): void => stream.abort();
    signal?.addEventListener('abort', abandon);
    if (signal?.aborted === true) abandon();
    try {
      for (;;) {
        for (let next = inbox.shift(); next !== undefined; next = inbox.shift()) yield next;
        if (ended?.error !== undefined) throw ended.error;
        if (ended !== undefined) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      signal?.removeEventListener('abort', abandon);
      stream.abort();
    }
  }

  work(events: StreamEvents<WorkResponse>): Outgoing<WorkRequest> {
    return this.#stream(workKind, events);
  }

  report(events: StreamEvents<ReportResponse>): Outgoing<ReportRequest> {
    return this.#stream(reportKind, events);
  }

  async close(): Promise<void> {
    for (const stream of [...this.#open]) stream.abort();
  }

  #stream<Out extends object, In extends object>(
    kind: StreamKind<Out, In>,
    events: StreamEvents<In>,
  ): Outgoing<Out> {
    const stream = new SimStream<Out, In>(this.#network, this.#process, kind, {
      message: (message) => events.message(message),
      end: (error) => {
        this.#open.delete(stream as Outgoing<never>);
        events.end(error);
      },
    });
    this.#open.add(stream as Outgoing<never>);
    return stream;
  }
}
