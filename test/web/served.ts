/** A handler of holdfast/web on real sockets, by plain node:http or by Hono, over a store in memory with a worker. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import {
  type Client,
  connect,
  defineTask,
  defineWorker,
  handle,
  type RunningWorker,
  typed,
} from '../../src/index.ts';
import {
  type FetchHandlerOptions,
  fetchHandler,
  nodeListener,
  type WebHandler,
} from '../../src/web/index.ts';

interface GreetInput {
  readonly name: string;
}

/** A schema that also refuses wrong inputs at run time. */
const input = {
  '~standard': {
    ...typed<GreetInput>()['~standard'],
    validate: (value: unknown) =>
      typeof (value as GreetInput | null)?.name === 'string'
        ? { value: value as GreetInput }
        : { issues: [{ message: 'must be a string', path: ['name'] }] },
  },
};

export const greet = defineTask('greet', {
  input,
  output: typed<string>(),
  retry: { maxAttempts: 2, backoff: () => '50ms' },
});
export const secret = defineTask('secret', { input: typed<null>() });

export type Kind = 'node:http' | 'Hono';
export const kinds: readonly Kind[] = ['node:http', 'Hono'];

export interface Served extends AsyncDisposable {
  readonly url: string;
  readonly client: Client;
  /** Lets the handlers of greetings for `slow` return. */
  release(): void;
  post(body: unknown, headers?: Record<string, string>, path?: string): Promise<Answer>;
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: each test asserts the fields that it expects
  readonly body: any;
}

function listenOn(kind: Kind, handler: WebHandler): Server {
  if (kind === 'node:http') return createServer(nodeListener(handler)).listen(0, '127.0.0.1');
  const app = new Hono();
  app.all('/tasks/*', (context) => handler(context.req.raw));
  return serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }) as Server;
}

export async function served(
  kind: Kind,
  options: Partial<FetchHandlerOptions> & { readonly wrap?: (client: Client) => Client } = {},
): Promise<Served> {
  const { wrap = (client) => client, ...more } = options;
  const client = connect('memory:');
  const gate = Promise.withResolvers<void>();
  const worker: RunningWorker = await client.work(
    defineWorker({
      handlers: [
        handle(greet, async ({ name }, { attempt }) => {
          if (name === 'slow') await gate.promise;
          if (name === 'flaky' && attempt === 1) throw new Error('the database of team 7 is down');
          return `Hello, ${name}!`;
        }),
        handle(secret, () => {}),
      ],
    }),
  );
  const handler = fetchHandler(wrap(client), { tasks: [greet], authorize: () => true, ...more });
  const server = listenOn(kind, handler);
  if (!server.listening) await new Promise((resolve) => server.once('listening', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function call(path: string, init: RequestInit): Promise<Answer> {
    const answer = await fetch(url + path, init);
    const text = await answer.text();
    return {
      status: answer.status,
      headers: answer.headers,
      body: text === '' ? undefined : JSON.parse(text),
    };
  }
  return {
    url,
    client,
    release: gate.resolve,
    post: (body, headers = {}, path = '/tasks/greet') =>
      call(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    get: (path, headers = {}) => call(path, { headers }),
    async [Symbol.asyncDispose]() {
      gate.resolve();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await worker.drain();
      await client.close();
    },
  };
}

/** An event of an event stream, as a browser reads it. */
export interface SentEvent {
  readonly id: number;
  // biome-ignore lint/suspicious/noExplicitAny: each test asserts the fields that it expects
  readonly data: any;
}

/** Reads the events of an open event stream, until it ends. */
export async function* eventsOf(answer: Response): AsyncGenerator<SentEvent> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of answer.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const found = /^id: (\d+)\ndata: (.*)$/.exec(block);
      if (found !== null) yield { id: Number(found[1]), data: JSON.parse(found[2] ?? '') };
    }
  }
}
