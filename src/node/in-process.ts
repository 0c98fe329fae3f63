/**
 * The API as a client's transport within one process: no bytes are made, no socket is opened. For embedded use, and
 * the base of the simulated network. Messages are handed over in a later microtask, as a network would, so that
 * nobody is called back while still calling.
 */
import { create, type DescMethodUnary, type MessageInitShape } from '@bufbuild/protobuf';
import type { CallOptions, Outgoing, StreamEvents, Transport } from '../client/transport.ts';
import { HoldfastError } from '../core/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Api, CallContext, Identity, Received, ServerStream } from '../rpc/api/api.ts';

/** May everything. */
export const localIdentity: Identity = Object.freeze({
  name: 'local',
  tenants: Object.freeze([]),
  queues: Object.freeze([]),
  verbs: Object.freeze(['submit', 'work', 'read', 'admin'] as const),
});

export interface InProcessOptions {
  readonly api: Api;
  readonly clock: Clock;
  /** Default: `local`, who may everything. */
  readonly identity?: Identity | undefined;
}

interface Call {
  readonly context: CallContext;
  /** Rejects when the call's time is over or its caller has gone. */
  readonly cut: Promise<never>;
  done(): void;
}

function cancelled(): HoldfastError {
  return new HoldfastError('CANCELLED', 'ABANDONED', 'The caller gave this call up.', {
    help: 'It may have happened nevertheless; the same key makes another try safe.',
  });
}

function timedOut(ms: number): HoldfastError {
  return new HoldfastError('DEADLINE_EXCEEDED', 'TIMED_OUT', `No answer came within ${ms} ms.`, {
    help: 'It may have happened nevertheless; the same key makes another try safe.',
  });
}

function begin(clock: Clock, identity: Identity, options: CallOptions): Call {
  const { timeoutMs, signal, traceparent = '' } = options;
  const gone = new AbortController();
  const { promise: cut, reject } = Promise.withResolvers<never>();
  cut.catch(() => {});
  const give = (error: HoldfastError): void => {
    reject(error);
    gone.abort(error);
  };
  const abandon = (): void => give(cancelled());
  if (signal?.aborted === true) abandon();
  signal?.addEventListener('abort', abandon);
  const cancelTimer =
    timeoutMs === undefined ? undefined : clock.after(timeoutMs, () => give(timedOut(timeoutMs)));
  const notAfterMs = timeoutMs === undefined ? undefined : clock.now() + timeoutMs;
  return {
    context: { identity, notAfterMs, traceparent, signal: gone.signal },
    cut,
    done() {
      cancelTimer?.();
      signal?.removeEventListener('abort', abandon);
    },
  };
}

async function run<R>(call: Call, answer: Promise<R>): Promise<R> {
  try {
    return await Promise.race([answer, call.cut]);
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
    serve: (stream: ServerStream<Out>, context: CallContext) => Received<In>,
  ): Outgoing<In> {
    const gone = new AbortController();
    const toClient = pipe<Out>((message) => events.message(message), ended);
    const toServer = pipe<In>(
      (message) => server.message(message),
      (error) => server.closed(error),
    );
    const server = serve(
      { bufferedBytes: 0, send: toClient.send, end: toClient.end },
      streamContext(gone.signal),
    );
    const abort = (error: HoldfastError = cancelled()): void => {
      toServer.end(error);
      toClient.end(error);
    };
    open.add(abort);
    function ended(error: HoldfastError | undefined): void {
      open.delete(abort);
      toServer.drop();
      gone.abort();
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
      const call = begin(clock, identity, options);
      return run(call, api.submit(batch, call.context));
    },
    call<M extends DescMethodUnary>(method: M, request: MessageInitShape<M['input']>, options: CallOptions) {
      const call = begin(clock, identity, options);
      return run(call, api.call(method, create(method.input as M['input'], request), call.context));
    },
    async *watch(request, options) {
      const call = begin(clock, identity, options);
      try {
        const updates = api.watch(request, call.context)[Symbol.asyncIterator]();
        try {
          for (;;) {
            const next = await Promise.race([updates.next(), call.cut]);
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

interface Pipe<Message> {
  send(message: Message): void;
  /** What was sent before still arrives. Once; later calls are ignored. */
  end(error?: HoldfastError): void;
  /** Nothing more arrives, not even what was sent. */
  drop(): void;
}

/** Hands messages over in order, those of one microtask together. */
function pipe<Message>(
  deliver: (message: Message) => void,
  finish: (error: HoldfastError | undefined) => void,
): Pipe<Message> {
  let waiting: (() => void)[] = [];
  let ended = false;
  let dropped = false;
  function enqueue(handOver: () => void): void {
    waiting.push(handOver);
    if (waiting.length === 1) queueMicrotask(flush);
  }
  function flush(): void {
    const now = waiting;
    waiting = [];
    for (const handOver of now) if (!dropped) handOver();
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
