/** A Holdfast node and its clients in this process, on a virtual clock, over a transport that the test can break. */
import { onTestFinished } from 'vitest';
import type { Client, ClientOptions } from '../../src/client/client.ts';
import { createClient } from '../../src/client/create-client.ts';
import type { Logger } from '../../src/client/log.ts';
import type { Outgoing, Transport } from '../../src/client/transport.ts';
import { HoldfastError } from '../../src/core/errors.ts';
import { memory } from '../../src/engines/memory/index.ts';
import { inProcess } from '../../src/node/in-process.ts';
import { type HoldfastNode, startNode } from '../../src/node/node.ts';
import { silentLog } from '../../src/ports/log.ts';
import { type VirtualClock, virtualClock } from '../../src/testing/virtual-clock.ts';

type Streaming = 'work' | 'report';

/** A transport that records the calls of a client and breaks them when the test says so. */
export class BreakableTransport implements Transport {
  readonly inner: Transport;
  /** The number of items of each submission call that reached the server. */
  readonly batches: number[] = [];
  /** The number of work and report streams that the client has opened. */
  readonly opened: Record<Streaming, number> = { work: 0, report: 0 };
  /** The messages that the client sent on its streams. */
  readonly sent: { readonly stream: Streaming; readonly kind: string; readonly message: unknown }[] = [];
  /** The number of coming submission calls whose answers are lost after the server has accepted them. */
  answersToLose = 0;
  /** True while the server's answers on the report stream are lost. */
  dropReportAnswers = false;
  /** True while the server's answers on the report stream are delayed, until `deliverReportAnswers`. */
  holdReportAnswers = false;
  readonly #heldAnswers: (() => void)[] = [];
  /** The number of open watch streams. */
  watching = 0;
  /** The largest number of watch streams that were open at one time. */
  maxWatching = 0;
  /** True while nothing reaches the server. */
  unreachable = false;
  /** The error of everything that does not reach the server. */
  failure: HoldfastError = connectionBroken();
  readonly #streams = new Set<{ readonly kind: Streaming; readonly out: Outgoing<never> }>();

  constructor(inner: Transport) {
    this.inner = inner;
  }

  async submit(...[batch, options]: Parameters<Transport['submit']>): ReturnType<Transport['submit']> {
    this.#reach();
    this.batches.push(batch.items.length);
    const answer = await this.inner.submit(batch, options);
    if (this.answersToLose-- > 0) throw connectionBroken();
    return answer;
  }

  call: Transport['call'] = async (method, request, options) => {
    this.#reach();
    return this.inner.call(method, request, options);
  };

  async *watch(...args: Parameters<Transport['watch']>): ReturnType<Transport['watch']> {
    this.#reach();
    this.maxWatching = Math.max(this.maxWatching, ++this.watching);
    try {
      yield* this.inner.watch(...args);
    } finally {
      this.watching--;
    }
  }

  work: Transport['work'] = (events) => this.#open('work', (to) => this.inner.work(to), events);
  report: Transport['report'] = (events) => this.#open('report', (to) => this.inner.report(to), events);

  close(): Promise<void> {
    return this.inner.close();
  }

  /** Aborts the open streams of this kind. */
  cut(kind: Streaming): void {
    for (const stream of this.#streams) if (stream.kind === kind) stream.out.abort(connectionBroken());
  }

  /** Delivers the delayed answers on the report stream, and delays no more. */
  deliverReportAnswers(): void {
    this.holdReportAnswers = false;
    for (const deliver of this.#heldAnswers.splice(0)) deliver();
  }

  #reach(): void {
    if (this.unreachable) throw this.failure;
  }

  #open<In extends { readonly kind: string }, Out>(
    stream: Streaming,
    open: (events: { message(m: Out): void; end(e: HoldfastError | undefined): void }) => Outgoing<In>,
    events: { message(m: Out): void; end(e: HoldfastError | undefined): void },
  ): Outgoing<In> {
    if (this.unreachable) {
      queueMicrotask(() => events.end(this.failure));
      return { send: () => true, drained: async () => {}, end() {}, abort() {} };
    }
    this.opened[stream]++;
    const entry = { kind: stream, out: undefined as unknown as Outgoing<never> };
    const out = open({
      message: (message) => {
        if (stream === 'report' && this.holdReportAnswers)
          this.#heldAnswers.push(() => events.message(message));
        else if (!(this.dropReportAnswers && stream === 'report')) events.message(message);
      },
      end: (error) => {
        this.#streams.delete(entry);
        events.end(error);
      },
    });
    entry.out = out;
    this.#streams.add(entry);
    return {
      ...out,
      send: (message) => {
        this.sent.push({ stream, kind: message.kind, message });
        return out.send(message);
      },
    };
  }
}

function connectionBroken(): HoldfastError {
  return new HoldfastError('UNAVAILABLE', 'UNREACHABLE', 'the test broke the connection');
}

/** A line that a client logged. */
export interface LogLine {
  readonly level: keyof Logger;
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

/** A node with a client, and the controls of the test. */
export interface ClientServer {
  readonly clock: VirtualClock;
  readonly node: HoldfastNode;
  readonly transport: BreakableTransport;
  readonly client: Client;
  readonly lines: LogLine[];
  /** Opens another client of the same node. */
  another(options?: Partial<ClientOptions>): {
    readonly client: Client;
    readonly transport: BreakableTransport;
  };
  /** Moves the virtual clock forward. */
  advance(ms: number): Promise<void>;
  /** Moves the virtual clock forward until the promise settles, at most an hour, and returns its result. */
  until<T>(promise: Promise<T>): Promise<T>;
}

/** Starts a node with the memory engine and one client. Both are closed when the test has finished. */
export async function startClientServer(options: Partial<ClientOptions> = {}): Promise<ClientServer> {
  const clock = virtualClock();
  const node = await startNode({
    engine: memory({ clock }),
    clock,
    log: silentLog,
    node: 'test',
  });
  const lines: LogLine[] = [];
  const line =
    (level: keyof Logger) =>
    (first: object | string, message = ''): void => {
      if (typeof first === 'string') lines.push({ level, fields: {}, message: first });
      else lines.push({ level, fields: first as Record<string, unknown>, message });
    };
  const log: Logger = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
  const another = (more: Partial<ClientOptions> = {}) => {
    const transport = new BreakableTransport(inProcess({ api: node.api, clock }));
    return { transport, client: createClient(transport, { clock, log, ...options, ...more }) };
  };
  const { client, transport } = another();
  onTestFinished(async () => {
    const closing = Promise.all([client.close(), node.close(0)]);
    for (let i = 0; i < 40; i++) await clock.advance(1_000);
    await closing;
  });
  return {
    clock,
    node,
    transport,
    client,
    lines,
    another,
    advance: (ms) => clock.advance(ms),
    async until(promise) {
      let settled = false;
      const mark = (): void => {
        settled = true;
      };
      promise.then(mark, mark);
      for (let waitedMs = 0; !settled && waitedMs < 3_600_000; waitedMs += 100) await clock.advance(100);
      if (!settled) throw new Error('the promise did not settle within an hour of the virtual clock');
      return promise;
    },
  };
}
