/** A client waits as long as the retry-after time of an error says before it tries again. */
import { expect, test } from 'vitest';
import { HoldfastError } from '../../src/core/errors.ts';
import type { SubmitBatch } from '../../src/core/messages.ts';
import { defineTask, typed } from '../../src/index.ts';
import { item } from '../fixtures/api-node.ts';
import { startListeningNode } from '../fixtures/listening-node.ts';
import { type ClientServer, startClientServer } from './client-server.ts';

const note = defineTask('note', { input: typed<{ text: string }>() });
const waitMs = 4_000;
const busy = (): HoldfastError =>
  new HoldfastError('RESOURCE_EXHAUSTED', 'STORE_BUSY', 'refused by the test', { retryAfterMs: waitMs });

interface Refusing extends ClientServer {
  /** The submissions that reached the server, with their times and queues. */
  readonly calls: { readonly atMs: number; readonly queue: string; readonly items: number }[];
}

/** Starts a client whose first call to the default queue is refused with a retry-after time of 4 s. */
async function refusing(): Promise<Refusing> {
  const it = await startClientServer({ retryFor: '1m' });
  const calls: Refusing['calls'] = [];
  const pass = it.transport.submit.bind(it.transport);
  let refused = false;
  it.transport.submit = async (batch, options) => {
    calls.push({ atMs: it.clock.monotonic(), queue: batch.queue, items: batch.items.length });
    if (refused || batch.queue !== 'default') return pass(batch, options);
    refused = true;
    throw busy();
  };
  return { ...it, calls };
}

const beganAtMs = ({ calls }: Refusing): number => calls[0]?.atMs ?? 0;

test('a submission refused with a retry-after time is sent again when that time is over', async () => {
  const it = await refusing();
  const task = await it.until(it.client.submit(note, { text: 'a' }));
  expect(task.deduplicated).toBe(false);
  expect(it.calls).toHaveLength(2);
  expect((it.calls[1]?.atMs ?? 0) - beganAtMs(it)).toBeGreaterThanOrEqual(waitMs);
});

test('once a queue has refused a submission, further submissions to the queue wait for the retry-after time and are then sent as batches', async () => {
  const it = await refusing();
  const first = it.client.submit(note, { text: 'first' });
  await it.advance(100);
  const later = Array.from({ length: 20 }, async (_, i) => {
    await it.clock.sleep(i * 100);
    return it.client.submit(note, { text: `${i}` });
  });
  await it.advance(waitMs - 200);
  expect(it.calls).toHaveLength(1);
  await it.until(Promise.all([first, ...later]));
  expect(it.calls.slice(1).every(({ atMs }) => atMs - beganAtMs(it) >= waitMs)).toBe(true);
  expect(it.calls.length).toBeLessThanOrEqual(4);
});

test("one queue's retry-after time does not delay submissions to other queues", async () => {
  const it = await refusing();
  const held = it.client.submit(note, { text: 'held' });
  await it.advance(100);
  const beforeMs = it.clock.monotonic();
  await it.until(it.client.submit(note, { text: 'free' }, { queue: 'other' }));
  expect(it.clock.monotonic() - beforeMs).toBeLessThan(1_000);
  await it.until(held);
});

test('once a queue that refused a submission accepts one, further submissions are sent without delay', async () => {
  const it = await refusing();
  await it.until(it.client.submit(note, { text: 'a' }));
  const beforeMs = it.clock.monotonic();
  await it.until(it.client.submit(note, { text: 'b' }));
  expect(it.clock.monotonic() - beforeMs).toBeLessThan(1_000);
});

test('a read refused with a retry-after time is sent again when that time is over', async () => {
  const it = await startClientServer({ retryFor: '1m' });
  const task = await it.client.submit(note, { text: 'a' });
  const calledAtMs: number[] = [];
  const pass = it.transport.call;
  it.transport.call = async (...args) => {
    calledAtMs.push(it.clock.monotonic());
    if (calledAtMs.length === 1) throw busy();
    return pass(...args);
  };
  expect((await it.until(task.status())).state).toBe('ready');
  const [first = 0, second = 0] = calledAtMs;
  expect(second - first).toBeGreaterThanOrEqual(waitMs);
});

test('a retry-after time reaches the client over gRPC as RetryInfo, together with the message and help', async () => {
  const help = 'Nothing was done.';
  const refusal = new HoldfastError('RESOURCE_EXHAUSTED', 'STORE_BUSY', 'The table is overloaded.', {
    retryAfterMs: 1_234,
    help,
  });
  const submit = (): Promise<never> => Promise.reject(refusal);
  await using served = await startListeningNode({ wrap: (api) => ({ ...api, submit }) });
  const client = await served.client();
  const batch: SubmitBatch = { tenant: '', queue: 'q', items: [item('a')] };
  await expect(client.submit(batch, { timeoutMs: 5_000 })).rejects.toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    reason: 'STORE_BUSY',
    message: 'The table is overloaded.',
    retryAfterMs: 1_234,
    help,
  });
});
