import { expect, it } from 'vitest';
import {
  type ApiNode,
  apiNode,
  callContext,
  item,
  RecordingStream,
} from '../../../../test/fixtures/api-node.ts';
import { HoldfastError } from '../../../core/errors.ts';
import { limits } from '../../../core/limits.ts';
import type {
  StreamedBatch,
  SubmitItem,
  SubmitStreamRequest,
  SubmitStreamResponse,
} from '../../../core/messages.ts';
import type { SubmissionAdmission } from '../api.ts';

function open(node: ApiNode, more: Partial<SubmissionAdmission> = {}, context = callContext()) {
  const recorded = new RecordingStream<SubmitStreamResponse>();
  const { submit } = node.api;
  const admission = { take: () => undefined, giveBack() {}, submit, ...more };
  return { recorded, client: node.api.submitStream(recorded, context, admission) };
}

const after = (node: ApiNode, ms: number): Partial<SubmissionAdmission> => ({
  submit: (...args) => node.clock.sleep(ms).then(() => node.api.submit(...args)),
});

function batch(number: number, queue: string, items: readonly SubmitItem[], timeoutMs = 0): StreamedBatch {
  return { batch: number, timeoutMs, request: { tenant: '', queue, items } };
}

const batches = (...all: StreamedBatch[]): SubmitStreamRequest => ({ kind: 'batches', batches: all });
const resultsOf = (recorded: RecordingStream<SubmitStreamResponse>) =>
  recorded.of('results').flatMap(({ results }) => results);

it('the batches of one message are for several queues, and are answered together', async () => {
  const node = await apiNode();
  const { recorded, client } = open(node);
  client.message(batches(batch(7, 'a', [item('k'), item('l')]), batch(8, 'b', [item('k')])));
  await node.clock.settle();
  expect(recorded.of('results')).toHaveLength(1);
  const [first, second] = resultsOf(recorded);
  expect(first).toMatchObject({ batch: 7, results: [{ deduplicated: false }, { deduplicated: false }] });
  expect(second).toMatchObject({ batch: 8, results: [{ deduplicated: false }] });
  client.message(batches(batch(9, 'a', [item('k')])));
  await node.clock.settle();
  expect(resultsOf(recorded).at(-1)).toMatchObject({ batch: 9, results: [{ deduplicated: true }] });
});

it('an invalid item is refused alone, and a batch without the right alone', async () => {
  const node = await apiNode();
  const identity = { name: 'alice', tenants: [], queues: ['a'], verbs: ['submit' as const] };
  const { recorded, client } = open(node, {}, callContext(identity));
  const unreadable = { ...item('x'), key: 'k'.repeat(10_000) };
  client.message(batches(batch(1, 'a', [unreadable, item('k')]), batch(2, 'b', [item('k')])));
  await node.clock.settle();
  const answers = Object.fromEntries(resultsOf(recorded).map((one) => [one.batch, one]));
  expect(answers[1]).toMatchObject({
    results: [{ error: { code: 'INVALID_ARGUMENT' } }, { deduplicated: false }],
  });
  expect(answers[2]).toMatchObject({ error: { code: 'PERMISSION_DENIED', reason: 'DENIED' } });
  expect(recorded.ended).toBe(false);
});

it('a batch whose turn comes after its deadline is refused, and accepts nothing', async () => {
  const node = await apiNode();
  const { recorded, client } = open(node, after(node, 200));
  client.message(batches(batch(1, 'a', [item('k')], 100), batch(2, 'a', [item('l')], 1_000)));
  await node.clock.advance(300);
  const answers = Object.fromEntries(resultsOf(recorded).map((one) => [one.batch, one]));
  expect(answers[1]).toMatchObject({ error: { code: 'DEADLINE_EXCEEDED', reason: 'TIMED_OUT' } });
  expect(answers[2]).toMatchObject({ results: [{ deduplicated: false }] });
});

it('a batch for which there is no room is refused, and an answered one gives its room back', async () => {
  const node = await apiNode();
  let taken = 0;
  const refusal = new HoldfastError('RESOURCE_EXHAUSTED', 'TOO_MANY_CALLS', 'full', { retryAfterMs: 1_000 });
  const small: Partial<SubmissionAdmission> = {
    take(bytes) {
      if (taken + bytes > 200_000) return refusal;
      taken += bytes;
      return undefined;
    },
    giveBack(bytes) {
      taken -= bytes;
    },
  };
  const { recorded, client } = open(node, small);
  // Whatever the parts of a message are, its bytes stay in memory until its last batch is answered.
  client.message(batches(batch(1, 'a', [item('k')])), 150_000);
  client.message(batches(batch(2, 'a', [item('l')])), 150_000);
  await node.clock.settle();
  const answers = Object.fromEntries(resultsOf(recorded).map((one) => [one.batch, one]));
  expect(answers[1]).toMatchObject({ results: [{ deduplicated: false }] });
  expect(answers[2]).toMatchObject({ error: { reason: 'TOO_MANY_CALLS', retryAfterMs: 1_000 } });
  expect(taken).toBe(0);
});

it('a stream with more batches without an answer than the limit is cut', async () => {
  const node = await apiNode();
  const { recorded, client } = open(node, { submit: () => new Promise(() => {}) });
  const many = Array.from({ length: limits.submitStreamBatches }, (_, i) =>
    batch(i + 1, 'a', [item(`${i}`)]),
  );
  client.message(batches(...many));
  expect(recorded.ended).toBe(false);
  client.message(batches(batch(5_000, 'a', [item('one more')])));
  expect(recorded.error).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'STORE_BUSY' });
});

it('a node that drains asks for another stream, still answers, and ends the stream once it finishes', async () => {
  const node = await apiNode();
  const { recorded, client } = open(node, after(node, 200));
  client.message(batches(batch(1, 'a', [item('k')])));
  node.api.drain();
  expect(recorded.of('drain')).toHaveLength(1);
  client.message(batches(batch(2, 'a', [item('l')])));
  const finished = node.api.finish();
  client.message(batches(batch(3, 'a', [item('m')])));
  await node.clock.advance(300);
  await finished;
  expect(resultsOf(recorded).map((one) => one.batch)).toEqual([1, 2]);
  expect(recorded).toMatchObject({ ended: true, error: undefined });
});

it('a client that ends its side gets the answers to all its batches', async () => {
  const node = await apiNode();
  const { recorded, client } = open(node);
  client.message(batches(batch(1, 'a', [item('k')])));
  client.closed(undefined);
  await node.clock.settle();
  expect(resultsOf(recorded)).toHaveLength(1);
  expect(recorded.ended).toBe(true);
});

it('the bytes of a message are taken once, and given back with the answer to its last batch', async () => {
  const node = await apiNode();
  let taken = 0;
  const release: (() => void)[] = [];
  const { client } = open(node, {
    take(bytes) {
      taken += bytes;
      return undefined;
    },
    giveBack(bytes) {
      taken -= bytes;
    },
    submit: (...args) =>
      new Promise<void>((resolve) => release.push(resolve)).then(() => node.api.submit(...args)),
  });
  client.message(batches(batch(1, 'a', [item('k')]), batch(2, 'b', [item('k')])), 1_000_000);
  expect(taken).toBeGreaterThan(1_000_000);
  expect(taken).toBeLessThan(1_010_000);
  release[1]?.();
  await node.clock.settle();
  expect(taken).toBeGreaterThan(1_000_000);
  release[0]?.();
  await node.clock.settle();
  expect(taken).toBe(0);
});

it('a client that ends its side in the turn of the answers gets them', async () => {
  const node = await apiNode();
  const { recorded, client } = open(node, { submit: () => Promise.resolve({ results: [] }) });
  client.message(batches(batch(1, 'a', [item('k')])));
  await Promise.resolve();
  client.closed(undefined);
  await node.clock.settle();
  expect(resultsOf(recorded)).toHaveLength(1);
});
