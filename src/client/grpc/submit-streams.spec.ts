import { afterEach, expect, it } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import { type ListeningNode, startListeningNode } from '../../../test/fixtures/listening-node.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { SubmitStreamRequest, SubmitStreamResponse } from '../../core/messages.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Api, ServerStream } from '../../rpc/api/api.ts';
import type { NodeApi } from '../../rpc/api/create-api.ts';
import type { Transport } from '../transport.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of undo.splice(0).reverse()) await run();
});

interface Watched {
  readonly node: ListeningNode;
  readonly client: Transport;
  /** The batches of each message that the server has received on streams. */
  readonly messages: number[][];
  /** The number of batches that were submitted, on streams and by calls. */
  submitted: number;
  /** The time in ms that was left of the timeout of each of them. */
  readonly leftMs: number[];
  streams: number;
}

type OpenStream = Api['submitStream'];

/** Starts a node and a client. `stream` may replace what the node does with a stream of submissions. */
async function start(
  stream: (api: NodeApi, ...args: Parameters<OpenStream>) => ReturnType<OpenStream> = (api, ...args) =>
    api.submitStream(...args),
): Promise<Watched> {
  const seen = { messages: [] as number[][], submitted: 0, leftMs: [] as number[], streams: 0 };
  const { monotonic } = systemClock();
  const node = await startListeningNode({
    wrap: (api) => ({
      submit: (...args) => {
        seen.submitted++;
        seen.leftMs.push((args[1].notAfterMs ?? Number.NaN) - monotonic());
        return api.submit(...args);
      },
      call: (...args) => api.call(...args),
      watch: (...args) => api.watch(...args),
      work: (...args) => api.work(...args),
      report: (...args) => api.report(...args),
      ensureStreamRoom: (identity) => api.ensureStreamRoom(identity),
      submitStream(...args) {
        seen.streams++;
        const receiver = stream(api, ...args);
        return {
          message(message: SubmitStreamRequest, bytes?: number) {
            if (message.kind === 'batches') seen.messages.push(message.batches.map(({ batch }) => batch));
            receiver.message(message, bytes);
          },
          closed: (error) => receiver.closed(error),
        };
      },
    }),
  });
  undo.push(() => node[Symbol.asyncDispose]());
  return Object.assign(seen, { node, client: await node.client() });
}

const submit = (client: Transport, queue: string, key: string, timeoutMs = 5_000) =>
  client.submit({ tenant: '', queue, items: [item(key)] }, { timeoutMs });

const unimplemented = new HoldfastError('UNIMPLEMENTED', 'NOT_BUILT', 'an older server');
const refusing = (error: HoldfastError) => (_: NodeApi, stream: ServerStream<SubmitStreamResponse>) => {
  stream.end(error);
  return { message() {}, closed() {} };
};

it('the batches of one turn of the event loop go out in one message on one stream, whatever their queues are', async () => {
  const seen = await start();
  await submit(seen.client, 'q0', 'first');
  const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => submit(seen.client, `q${i}`, 'k')));
  expect(answers.every(({ results }) => results[0]?.error === undefined)).toBe(true);
  expect(seen).toMatchObject({ streams: 1, submitted: 51 });
  expect(seen.messages.map((batches) => batches.length)).toEqual([1, 50]);
});

it('a refused batch rejects with its error, and the stream goes on', async () => {
  const seen = await start();
  await submit(seen.client, 'q', 'k');
  await expect(submit(seen.client, 'not a queue', 'k')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  await submit(seen.client, 'q', 'l');
  expect(seen.streams).toBe(1);
});

it('a stream without a batch for a while is ended, and the next batch opens another one', async () => {
  const seen = await start();
  await submit(seen.client, 'q', 'k');
  expect(seen.node.api.openStreams).toBe(1);
  await expect.poll(() => seen.node.api.openStreams).toBe(0);
  await submit(seen.client, 'q', 'l');
  expect(seen.streams).toBe(2);
});

it.each([
  ['does not know streams of submissions', unimplemented],
  [
    'has no room for another stream',
    new HoldfastError('RESOURCE_EXHAUSTED', 'TOO_MANY_STREAMS', 'full', { retryAfterMs: 1_000 }),
  ],
  ['is stopping', new HoldfastError('UNAVAILABLE', 'DRAINING', 'stopping')],
])('a server that %s gets calls', async (_, error) => {
  const seen = await start(refusing(error));
  await Promise.all([submit(seen.client, 'a', 'k'), submit(seen.client, 'b', 'k')]);
  expect(seen).toMatchObject({ streams: 1, submitted: 2 });
  await submit(seen.client, 'a', 'l');
  expect(seen).toMatchObject({ streams: 1, submitted: 3 });
});

it('a stream that drains is left once its batches are answered, and nothing is refused or sent twice', async () => {
  const seen = await start();
  const before = Array.from({ length: 20 }, (_, i) => submit(seen.client, 'q', `before ${i}`));
  await Promise.race(before);
  seen.node.api.drain();
  const after = Array.from({ length: 20 }, (_, i) => submit(seen.client, 'q', `after ${i}`));
  const answers = await Promise.all([...before, ...after]);
  expect(answers.flatMap(({ results }) => results)).toHaveLength(40);
  expect(answers.every(({ results }) => results[0]?.error === undefined && !results[0]?.deduplicated)).toBe(
    true,
  );
});

it('batches of a stream that breaks before their answer are rejected as retryable, and a repeat finds the same task', async () => {
  let breaks = true;
  const seen = await start((api, stream, context, admission) => {
    const broken: ServerStream<SubmitStreamResponse> = {
      bufferedBytes: 0,
      send(message) {
        if (breaks && message.kind === 'results')
          stream.end(new HoldfastError('UNAVAILABLE', 'STORE_FAILED', 'broken after the commit'));
        else stream.send(message);
      },
      end: (error) => stream.end(error),
    };
    return api.submitStream(broken, context, admission);
  });
  await expect(submit(seen.client, 'q', 'k')).rejects.toMatchObject({ code: 'UNAVAILABLE', retryable: true });
  breaks = false;
  const { results } = await submit(seen.client, 'q', 'k');
  expect(results).toMatchObject([{ deduplicated: true }]);
});

it('a batch without an answer fails at its deadline, and later ones go over another stream', async () => {
  let stands = true;
  const seen = await start((api, ...args) =>
    stands ? { message() {}, closed() {} } : api.submitStream(...args),
  );
  const began = performance.now();
  await expect(submit(seen.client, 'q', 'k', 200)).rejects.toMatchObject({
    code: 'DEADLINE_EXCEEDED',
    reason: 'TIMED_OUT',
  });
  expect(performance.now() - began).toBeGreaterThanOrEqual(199);
  stands = false;
  await submit(seen.client, 'q', 'l');
  expect(seen.streams).toBe(2);
});

it('batches beyond the window wait, and are sent as answers come', async () => {
  const release: (() => void)[] = [];
  const seen = await start((api, stream, context, admission) =>
    api.submitStream(stream, context, {
      ...admission,
      submit: (...args) =>
        new Promise<void>((resolve) => release.push(resolve)).then(() => admission.submit(...args)),
    }),
  );
  const all = Array.from({ length: 600 }, (_, i) => submit(seen.client, 'q', `${i}`));
  await expect.poll(() => release.length).toBe(512);
  for (let i = 0; i < 600; i++) {
    await expect.poll(() => release.length).toBeGreaterThan(i);
    release[i]?.();
  }
  expect(await Promise.all(all)).toHaveLength(600);
});

it('a client that closes still gets the answers to what it has sent', async () => {
  const seen = await start();
  await submit(seen.client, 'q', 'first');
  const sent = Array.from({ length: 10 }, (_, i) => submit(seen.client, 'q', `${i}`));
  await Promise.resolve();
  await seen.client.close();
  expect(await Promise.all(sent)).toHaveLength(10);
});

it('a client that closes sends the batches of this turn, and rejects those that wait for room', async () => {
  const release: (() => void)[] = [];
  const seen = await start((api, stream, context, admission) =>
    api.submitStream(stream, context, {
      ...admission,
      submit: (...args) =>
        new Promise<void>((resolve) => release.push(resolve)).then(() => admission.submit(...args)),
    }),
  );
  const connected = submit(seen.client, 'q', 'first');
  await expect.poll(() => release.length).toBe(1);
  release[0]?.();
  await connected;
  const sent = Array.from({ length: 512 }, (_, i) => submit(seen.client, 'q', `${i}`));
  const waiting = Array.from({ length: 10 }, (_, i) => submit(seen.client, 'q', `waits ${i}`, 0));
  const rejected = Promise.allSettled(waiting);
  await seen.client.close();
  for (const one of await rejected) expect(one).toMatchObject({ reason: { reason: 'ABANDONED' } });
  await expect.poll(() => release.length).toBe(513);
  for (const go of release) go();
  expect(await Promise.all(sent)).toHaveLength(512);
  expect(seen.streams).toBe(1);
});

it('a batch that a call repeats has the time that is left of its timeout', async () => {
  const refusal = new HoldfastError('RESOURCE_EXHAUSTED', 'TOO_MANY_STREAMS', 'full', {
    retryAfterMs: 1_000,
  });
  const seen = await start((_, stream) => ({
    message: () => void setTimeout(() => stream.end(refusal), 400),
    closed() {},
  }));
  await submit(seen.client, 'q', 'k', 5_000);
  expect(seen.leftMs[0]).toBeLessThanOrEqual(4_601);
});

it('calls are made instead of streams from which no message comes twice', async () => {
  const seen = await start(() => ({ message() {}, closed() {} }));
  for (const key of ['k', 'l'])
    await expect(submit(seen.client, 'q', key, 100)).rejects.toMatchObject({ reason: 'TIMED_OUT' });
  const { results } = await submit(seen.client, 'q', 'm');
  expect(results).toMatchObject([{ deduplicated: false }]);
  expect(seen).toMatchObject({ streams: 2, submitted: 1 });
});
