/** Makes the calls of the handler's process through the connection of its worker. */
import { type DescMethodUnary, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { CallOptions, Transport } from '../../client/transport.ts';
import { asHoldfastError } from '../../core/errors.ts';
import type { ItemError } from '../../core/messages.ts';
import {
  TaskService,
  WatchTasksRequestSchema,
  WatchTasksResponseSchema,
} from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import type { AloneCommand, AloneReport, RelayedCall } from './messages.ts';

/** The unary calls of TaskService, by name: the handle of a submitted task makes no others. */
const methods: ReadonlyMap<string, DescMethodUnary> = new Map(
  TaskService.methods.flatMap((one) =>
    one.methodKind === 'unary' ? [[one.name, one as DescMethodUnary] as const] : [],
  ),
);

function errorItem(thrown: unknown): ItemError {
  const { code, reason, message, help, taskId, retryAfterMs, violations } = asHoldfastError(thrown);
  return { code, reason, message, help, taskId, retryAfterMs, violations };
}

/** Relays calls to a transport until it is closed. */
export class CallRelay {
  readonly #transport: Transport;
  readonly #send: (command: AloneCommand) => void;
  readonly #open = new Map<number, AbortController>();

  constructor(transport: Transport, send: (command: AloneCommand) => void) {
    this.#transport = transport;
    this.#send = send;
  }

  async begin({ id, timeoutMs, call }: Extract<AloneReport, { kind: 'call' }>): Promise<void> {
    const aborting = new AbortController();
    this.#open.set(id, aborting);
    let error: ItemError | undefined;
    try {
      for await (const answer of this.#answers(call, { timeoutMs, signal: aborting.signal }))
        this.#send({ kind: 'answer', id, answer });
    } catch (thrown) {
      error = errorItem(thrown);
    }
    this.#open.delete(id);
    this.#send({ kind: 'callEnded', id, error });
  }

  abort(id: number): void {
    this.#open.get(id)?.abort();
  }

  /** Aborts all open calls. */
  close(): void {
    for (const aborting of this.#open.values()) aborting.abort();
  }

  async *#answers(call: RelayedCall, options: CallOptions) {
    if (call.to === 'submit') {
      yield await this.#transport.submit(call.batch, { ...options, traceparent: call.traceparent });
      return;
    }
    if (call.to === 'watch') {
      const request = fromBinary(WatchTasksRequestSchema, call.request);
      for await (const update of this.#transport.watch(request, options))
        yield toBinary(WatchTasksResponseSchema, update);
      return;
    }
    const method = methods.get(call.method);
    if (method === undefined) throw new RangeError(`no call is named ${call.method}`);
    const request = fromBinary(method.input, call.request);
    yield toBinary(method.output, await this.#transport.call(method, request, options));
  }
}
