/** A whole Holdfast in this process, on a clock that the test moves, over a transport that the test can break. */
import { onTestFinished } from 'vitest';
import { type Client, type ClientOptions, createClient } from '../../src/client/client.ts';
import type { Logger } from '../../src/client/log.ts';
import type { Outgoing, Transport } from '../../src/client/transport.ts';
import { HoldfastError } from '../../src/core/errors.ts';
import { memory } from '../../src/engines/memory/index.ts';
import { inProcess } from '../../src/node/in-process.ts';
import { type HoldfastNode, startNode } from '../../src/node/node.ts';
import { silentLog } from '../../src/ports/log.ts';
import { type VirtualClock, virtualClock } from '../../src/testing/virtual-clock.ts';

type Streaming = 'work' | 'report';

/** What a test does to the calls that pass. */
export class Breakable implements Transport {
  readonly inner: Transport;
  /** Items of each submission that passed. */
  readonly batches: number[] = [];
  /** Streams that were opened. */
  readonly opened: Record<Streaming, number> = { work: 0, report: 0 };
  /** What the client said on streams. */
  readonly said: { readonly stream: Streaming; readonly kind: string; readonly message: unknown }[] = [];
  /** So many submissions are accepted but their answers are lost. */
  answersToLose = 0;
  /** What the server answers to reports is lost. */
  deaf = false;
  /** Watches that are open, and the most there were. */
  watching = 0;
  watchingMost = 0;
  /** Nothing reaches the server. */
  unreachable = false;
  readonly #streams = new Set<{ readonly kind: Streaming; readonly out: Outgoing<never> }>();

  constructor(inner: Transport) {
    this.inner = inner;
  }

  async submit(...[batch, options]: Parameters<Transport['submit']>): ReturnType<Transport['submit']> {
    this.#reach();
    this.batches.push(batch.items.length);
    const answer = await this.inner.submit(batch, options);
    if (this.answersToLose-- > 0) throw gone();
    return answer;
  }

  call: Transport['call'] = async (method, request, options) => {
    this.#reach();
    return this.inner.call(method, request, options);
  };

  async *watch(...args: Parameters<Transport['watch']>): ReturnType<Transport['watch']> {
    this.#reach();
    this.watchingMost = Math.max(this.watchingMost, ++this.watching);
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

  /** Breaks the streams that are open. */
  cut(kind: Streaming): void {
    for (const stream of this.#streams) if (stream.kind === kind) stream.out.abort(gone());
  }

  #reach(): void {
    if (this.unreachable) throw gone();
  }

  #open<In extends { readonly kind: string }, Out>(
    stream: Streaming,
    open: (events: { message(m: Out): void; end(e: HoldfastError | undefined): void }) => Outgoing<In>,
    events: { message(m: Out): void; end(e: HoldfastError | undefined): void },
  ): Outgoing<In> {
    if (this.unreachable) {
      queueMicrotask(() => events.end(gone()));
      return { send: () => true, drained: async () => {}, end() {}, abort() {} };
    }
    this.opened[stream]++;
    const entry = { kind: stream, out: undefined as unknown as Outgoing<never> };
    const out = open({
      message: (message) => {
        if (!(this.deaf && stream === 'report')) events.message(message);
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
        this.said.push({ stream, kind: message.kind, message });
        return out.send(message);
      },
    };
  }
}

function gone(): HoldfastError {
  return new HoldfastError('UNAVAILABLE', 'UNREACHABLE', 'the test broke the connection');
}

export interface Line {
  readonly level: keyof Logger;
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

export interface Rig {
  readonly clock: VirtualClock;
  readonly node: HoldfastNode;
  readonly transport: Breakable;
  readonly client: Client;
  readonly lines: Line[];
  /** Another client of the same node. */
  another(options?: Partial<ClientOptions>): { readonly client: Client; readonly transport: Breakable };
  advance(ms: number): Promise<void>;
  /** Moves time on until the promise settles; at most an hour. */
  until<T>(promise: Promise<T>): Promise<T>;
}

export async function rig(options: Partial<ClientOptions> = {}): Promise<Rig> {
  const clock = virtualClock();
  const node = await startNode({
    engine: memory({ clock }),
    clock,
    log: silentLog,
    node: 'test',
  });
  const lines: Line[] = [];
  const line =
    (level: keyof Logger) =>
    (first: object | string, message = ''): void => {
      if (typeof first === 'string') lines.push({ level, fields: {}, message: first });
      else lines.push({ level, fields: first as Record<string, unknown>, message });
    };
  const log: Logger = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
  const another = (more: Partial<ClientOptions> = {}) => {
    const transport = new Breakable(inProcess({ api: node.api, clock }));
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
      if (!settled) throw new Error('nothing came within an hour of the test clock');
      return promise;
    },
  };
}
