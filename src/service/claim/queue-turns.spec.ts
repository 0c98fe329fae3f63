import { expect, it } from 'vitest';
import type { Delivery } from '../../ports/broker.ts';
import { QueueTurns, TurnsByWorker } from './queue-turns.ts';

const ref = (queue: string) => ({ tenant: 'acme', queue });
const from = (...queues: string[]) => queues.map((queue) => ({ message: { queue: ref(queue) } }) as Delivery);
const order = (turns: QueueTurns, ...queues: string[]) =>
  turns.inTurn(queues.map(ref)).map(({ queue }) => queue);

it('the queue that was served longest ago has its turn first, and one that was never served before all', () => {
  const turns = new QueueTurns();
  expect(order(turns, 'a', 'b', 'c')).toEqual(['a', 'b', 'c']);
  turns.serve(from('a', 'b', 'a'), 3);
  expect(order(turns, 'a', 'b', 'c')).toEqual(['c', 'b', 'a']);
  turns.serve(from('c'), 3);
  expect(order(turns, 'a', 'b', 'c')).toEqual(['b', 'a', 'c']);
});

it('a receive call that finds nothing does not change the turns', () => {
  const turns = new QueueTurns();
  turns.serve(from('a'), 2);
  turns.serve([], 2);
  expect(order(turns, 'a', 'b')).toEqual(['b', 'a']);
});

it('each worker that claims by single calls has turns of its own', () => {
  const byWorker = new TurnsByWorker();
  byWorker.of('acme', 'one').serve(from('a'), 2);
  expect(order(byWorker.of('acme', 'one'), 'a', 'b')).toEqual(['b', 'a']);
  expect(order(byWorker.of('acme', 'two'), 'a', 'b')).toEqual(['a', 'b']);
});

it('the turns of the worker that called longest ago are forgotten once a thousand others have called', () => {
  const byWorker = new TurnsByWorker();
  byWorker.of('acme', 'one').serve(from('a'), 2);
  for (let i = 0; i < 999; i++) byWorker.of('acme', `w${i}`);
  expect(order(byWorker.of('acme', 'one'), 'a', 'b')).toEqual(['b', 'a']);
  for (let i = 0; i < 1_000; i++) byWorker.of('acme', `v${i}`);
  expect(order(byWorker.of('acme', 'one'), 'a', 'b')).toEqual(['a', 'b']);
});
