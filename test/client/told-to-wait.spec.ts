/** What a client does when the server says how long to wait: nothing sooner. */
import { expect, test } from 'vitest';
import { HoldfastError } from '../../src/core/errors.ts';
import type { SubmitBatch } from '../../src/core/messages.ts';
import { defineTask, typed } from '../../src/index.ts';
import { item } from '../fixtures/api-node.ts';
import { serve } from '../fixtures/listening.ts';
import { type Rig, rig } from './client-server.ts';

const note = defineTask('note', { input: typed<{ text: string }>() });
const waitMs = 4_000;
const busy = (): HoldfastError =>
  new HoldfastError('RESOURCE_EXHAUSTED', 'STORE_BUSY', 'refused by the test', { retryAfterMs: waitMs });

interface Refusing extends Rig {
  /** When each submission reached the server, and of which queue. */
  readonly calls: { readonly atMs: number; readonly queue: string; readonly items: number }[];
}

/** The first call to the default queue is refused. */
async function refusing(): Promise<Refusing> {
  const it = await rig({ retryFor: '1m' });
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

test('a refused submission is sent again once the time is over, and accepted', async () => {
  const it = await refusing();
  const task = await it.until(it.client.submit(note, { text: 'a' }));
  expect(task.deduplicated).toBe(false);
  expect(it.calls).toHaveLength(2);
  expect((it.calls[1]?.atMs ?? 0) - beganAtMs(it)).toBeGreaterThanOrEqual(waitMs);
});

test('what is submitted to the same queue meanwhile is not even tried sooner, and then goes out together', async () => {
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

test('other queues are not held up', async () => {
  const it = await refusing();
  const held = it.client.submit(note, { text: 'held' });
  await it.advance(100);
  const beforeMs = it.clock.monotonic();
  await it.until(it.client.submit(note, { text: 'free' }, { queue: 'other' }));
  expect(it.clock.monotonic() - beforeMs).toBeLessThan(1_000);
  await it.until(held);
});

test('once the queue was accepted again nothing waits any more', async () => {
  const it = await refusing();
  await it.until(it.client.submit(note, { text: 'a' }));
  const beforeMs = it.clock.monotonic();
  await it.until(it.client.submit(note, { text: 'b' }));
  expect(it.clock.monotonic() - beforeMs).toBeLessThan(1_000);
});

test('a refused read waits as long as well', async () => {
  const it = await rig({ retryFor: '1m' });
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

test('the time to wait comes over the wire as RetryInfo, with what was the matter and what to do', async () => {
  const help = 'Nothing was done.';
  const refusal = new HoldfastError('RESOURCE_EXHAUSTED', 'STORE_BUSY', 'The table is overloaded.', {
    retryAfterMs: 1_234,
    help,
  });
  const submit = (): Promise<never> => Promise.reject(refusal);
  await using served = await serve({ wrap: (api) => ({ ...api, submit }) });
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
