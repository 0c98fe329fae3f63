/** The transport of the process that runs one handler: its worker, in the parent process, makes the calls. */
import {
  create,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { errorOf } from '../../client/backoff.ts';
import type { CallOptions, Transport } from '../../client/transport.ts';
import type { SubmitBatchResult } from '../../core/messages.ts';
import {
  type WatchTasksRequest,
  WatchTasksRequestSchema,
  WatchTasksResponseSchema,
} from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import type { AloneCommand, AloneReport, RelayedCall } from './messages.ts';

type Answer = Extract<AloneCommand, { kind: 'answer' | 'callEnded' }>;

/** Makes calls by messages to the worker. The worker's answers must be passed to `answered`. */
export class RelayedTransport implements Transport {
  readonly #send: (report: AloneReport) => void;
  readonly #open = new Map<number, (answer: Answer) => void>();
  #calls = 0;

  constructor(send: (report: AloneReport) => void) {
    this.#send = send;
  }

  answered(answer: Answer): void {
    this.#open.get(answer.id)?.(answer);
  }

  async submit(...[batch, options]: Parameters<Transport['submit']>): Promise<SubmitBatchResult> {
    const { traceparent } = options;
    return (await this.#first({ to: 'submit', batch, traceparent }, options)) as SubmitBatchResult;
  }

  async call<M extends DescMethodUnary>(
    method: M,
    request: MessageInitShape<M['input']>,
    options: CallOptions,
  ): Promise<MessageShape<M['output']>> {
    const encoded = toBinary(method.input as M['input'], create(method.input as M['input'], request));
    const answer = await this.#first({ to: 'call', method: method.name, request: encoded }, options);
    return fromBinary(method.output as M['output'], answer as Uint8Array);
  }

  async *watch(request: WatchTasksRequest, options: CallOptions) {
    const encoded = toBinary(WatchTasksRequestSchema, request);
    for await (const answer of this.#answers({ to: 'watch', request: encoded }, options))
      yield fromBinary(WatchTasksResponseSchema, answer as Uint8Array);
  }

  work(): never {
    throw new RangeError('the process of one handler runs no worker');
  }

  report(): never {
    throw new RangeError('the process of one handler runs no worker');
  }

  async close(): Promise<void> {}

  async #first(call: RelayedCall, options: CallOptions): Promise<SubmitBatchResult | Uint8Array> {
    for await (const answer of this.#answers(call, options)) return answer;
    throw new RangeError('a call ended without an answer');
  }

  async *#answers(call: RelayedCall, { timeoutMs, signal }: CallOptions) {
    const id = ++this.#calls;
    const received: Answer[] = [];
    let wake = (): void => {};
    this.#open.set(id, (answer) => {
      received.push(answer);
      wake();
    });
    const abort = (): void => this.#send({ kind: 'callAborted', id });
    signal?.addEventListener('abort', abort);
    try {
      this.#send({ kind: 'call', id, timeoutMs, call });
      if (signal?.aborted === true) abort();
      for (;;) {
        const next = received.shift();
        if (next === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        } else if (next.kind === 'answer') yield next.answer;
        else if (next.error !== undefined) throw errorOf(next.error);
        else return;
      }
    } finally {
      signal?.removeEventListener('abort', abort);
      // A reader that stops early leaves a call behind which nothing else would end.
      if (this.#open.delete(id)) this.#send({ kind: 'callAborted', id });
    }
  }
}
