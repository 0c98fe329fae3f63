/**
 * A client transport that calls the API in the same process, without encoding and without sockets. Embedded stores and
 * the simulated network use it. Each message is delivered in a later microtask, as a network would deliver it, so that no
 * caller is called back before its own call has returned.
 */
import { create, type DescMethodUnary, type MessageInitShape } from '@bufbuild/protobuf';
import type { CallOptions, Outgoing, StreamEvents, Transport } from '../client/transport.ts';
import { HoldfastError } from '../core/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Api, CallContext, Identity, ServerStream, StreamReceiver } from '../rpc/api/api.ts';

/** The identity of clients in the same process as the node. It is allowed to do everything. */
export const localIdentity: Identity = Object.freeze({
  name: 'local',
  tenants: Object.freeze([]),
  queues: Object.freeze([]),
  verbs: Object.freeze(['submit', 'work', 'read', 'admin'] as const),
});

export interface InProcessOptions {
  readonly api: Api;
  readonly clock: Clock;
  /** The identity of the client that uses the transport. Default: `localIdentity`, which may do everything. */
  readonly identity?: Identity | undefined;
}

interface AbortableCall {
  readonly context: CallContext;
  /** A promise that rejects when the timeout of the call is over or the caller aborts the call. */
  readonly aborted: Promise<never>;
  done(): void;
}

function cancelled(): HoldfastError {
  return new HoldfastError('CANCELLED', 'ABANDONED', 'The caller aborted this call.', {
    help: 'The call may have taken effect nevertheless; the same key makes another try safe.',
  });
}

function timedOut(ms: number): HoldfastError {
  return new HoldfastError('DEADLINE_EXCEEDED', 'TIMED_OUT', `No answer came within ${ms} ms.`, {
    help: 'The call may have taken effect nevertheless; the same key makes another try safe.',
  });
}

function beginCall(clock: Clock, identity: Identity, options: CallOptions): AbortableCall {
  const { timeoutMs, signal, traceparent = '' } = options;
  const controller = new AbortController();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  aborted.catch(() => {});
  const abort = (error: HoldfastError): void => {
    reject(error);
    controller.abort(error);
  };
  const abandon = (): void => abort(cancelled());
  if (signal?.aborted === true) abandon();
  signal?.addEventListener('abort', abandon);
  const cancelTimer =
    timeoutMs === undefined ? undefined : clock.after(timeoutMs, () => abort(timedOut(timeoutMs)));
  const notAfterMs = timeoutMs === undefined ? undefined : clock.monotonic() + timeoutMs;
  return {
    context: { identity, notAfterMs, traceparent, signal: controller.signal },
    aborted,
    done() {
      cancelTimer?.();
      signal?.removeEventListener('abort', abandon);
    },
  };
}

async function run<R>(call: AbortableCall, response: Promise<R>): Promise<R> {
  try {
    return await Promise.race([response, call.aborted]);
  } finally {
    call.done();
  }
}

export function inProcess({ api, clock, identity = localIdentity }: InProcessOptions): Transport {
  const open = new Set<() => void>();
  const streamContext = (signal: AbortSignal): CallContext => ({
    identity,
    notAfterMs: undefined,
    traceparent: '',
    signal,
  });

  function connect<In, Out>(
    events: StreamEvents<Out>,
    serve: (stream: ServerStream<Out>, context: CallContext) => StreamReceiver<In>,
  ): Outgoing<In> {
    const controller = new AbortController();
    const toClient = pipe<Out>((message) => events.message(message), onEnd);
    const toServer = pipe<In>(
      (message) => server.message(message),
      (error) => server.closed(error),
    );
    const server = serve(
      { bufferedBytes: 0, send: toClient.send, end: toClient.end },
      streamContext(controller.signal),
    );
    const abort = (error: HoldfastError = cancelled()): void => {
      toServer.end(error);
      toClient.end(error);
    };
    open.add(abort);
    function onEnd(error: HoldfastError | undefined): void {
      open.delete(abort);
      toServer.drop();
      controller.abort();
      events.end(error);
    }
    return {
      send(message) {
        toServer.send(message);
        return true;
      },
      drained: () => Promise.resolve(),
      end: () => toServer.end(undefined),
      abort,
    };
  }

  return {
    submit(batch, options) {
      const call = beginCall(clock, identity, options);
      return run(call, api.submit(batch, call.context));
    },
    call<M extends DescMethodUnary>(method: M, request: MessageInitShape<M['input']>, options: CallOptions) {
      const call = beginCall(clock, identity, options);
      return run(call, api.call(method, create(method.input as M['input'], request), call.context));
    },
    async *watch(request, options) {
      const call = beginCall(clock, identity, options);
      try {
        const updates = api.watch(request, call.context)[Symbol.asyncIterator]();
        try {
          for (;;) {
            const next = await Promise.race([updates.next(), call.aborted]);
            if (next.done === true) return;
            yield next.value;
          }
        } finally {
          void updates.return?.();
        }
      } finally {
        call.done();
      }
    },
    work: (events) => connect(events, (stream, context) => api.work(stream, context)),
    report: (events) => connect(events, (stream, context) => api.report(stream, context)),
    async close() {
      for (const abort of [...open]) abort();
    },
  };
}

interface MessagePipe<Message> {
  send(message: Message): void;
  /** Ends the message pipe after the messages that were sent before. Only the first call has an effect. */
  end(error?: HoldfastError): void;
  /** Discards the messages of the pipe that were sent and not yet delivered, and all later messages. */
  drop(): void;
}

/**
 * Creates a pipe that delivers messages in order. All messages that were sent in one microtask are delivered together in
 * the next microtask.
 */
function pipe<Message>(
  deliver: (message: Message) => void,
  finish: (error: HoldfastError | undefined) => void,
): MessagePipe<Message> {
  let waiting: (() => void)[] = [];
  let ended = false;
  let dropped = false;
  function enqueue(deliverOne: () => void): void {
    waiting.push(deliverOne);
    if (waiting.length === 1) queueMicrotask(flush);
  }
  function flush(): void {
    const now = waiting;
    waiting = [];
    for (const deliverOne of now) if (!dropped) deliverOne();
  }
  return {
    send(message) {
      if (!ended) enqueue(() => deliver(message));
    },
    end(error) {
      if (ended) return;
      ended = true;
      enqueue(() => finish(error));
    },
    drop() {
      ended = true;
      dropped = true;
    },
  };
}
