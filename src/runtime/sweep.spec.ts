import { expect, test } from 'vitest';
import { item } from '../../test/fixtures/api-node.ts';
import { noOptions } from '../core/codec/options.ts';
import { HoldfastError } from '../core/errors.ts';
import type { OptionsRequest } from '../core/submission/submission.ts';
import type { DispatchMessage } from '../ports/broker.ts';
import { type LogFields, silentLog } from '../ports/log.ts';
import type { TaskStore } from '../ports/task-store.ts';
import { createService } from '../service/create-service.ts';
import { externalMemory } from '../testing/external-broker.ts';
import { virtualClock } from '../testing/virtual-clock.ts';
import { startRuntime } from './runtime.ts';
import { Sweeper } from './sweep.ts';

const tenant = 'default';
const broken = 'broken';
const sound = 'sound';
const secondMs = 1_000;
const minuteMs = 60 * secondMs;

interface SendAttempt {
  readonly message: DispatchMessage;
  readonly atMs: number;
}

/**
 * Starts a node with an external broker. Records the dispatch messages that the node tried to send and the ones that were
 * sent, the node's reads of due entries and its log lines.
 */
async function startTestNode(runs = true) {
  const clock = virtualClock();
  const tries: SendAttempt[] = [];
  const sent: SendAttempt[] = [];
  const lines: LogFields[] = [];
  const dues: number[] = [];
  /** Decides which dispatch messages cannot be sent. */
  const faults = { failsFor: ({ queue }: DispatchMessage): boolean => queue.queue === broken };
  const failingShards = new Set<number>();
  const send = (one: DispatchMessage): 'sent' | 'failed' => {
    const attempt = { message: one, atMs: clock.now() };
    tries.push(attempt);
    if (faults.failsFor(one)) return 'failed';
    sent.push(attempt);
    return 'sent';
  };
  const engine = externalMemory({ clock, faults: { send } });
  let reads = 0;
  const store: TaskStore = Object.assign(Object.create(engine.store) as TaskStore, {
    due: async (...args: Parameters<TaskStore['due']>) => {
      dues.push(clock.now());
      if (failingShards.has(args[0])) throw new HoldfastError('UNAVAILABLE', 'STORE_FAILED', 'down');
      return engine.store.due(...args);
    },
    read: async (...args: Parameters<TaskStore['read']>) => {
      reads += args[0].length;
      return engine.store.read(...args);
    },
  });
  const warn = (fields: LogFields): void => void lines.push(fields);
  const log = { ...silentLog, warn, error: warn };
  const running = await createService({ ...engine, store, node: 'n', clock, log, createQueues: true });
  if (runs) startRuntime(running);
  await clock.advance(5 * secondMs);
  const submit = async (queue: string, count: number, options: Partial<OptionsRequest>) => {
    for (let from = 0; from < count; from += 100) {
      const length = Math.min(100, count - from);
      const items = Array.from({ length }, (_, i) =>
        item(`${queue}-${from + i}-${clock.now()}`, { options: { ...noOptions, ...options } }),
      );
      const results = await running.service.submit({ tenant, queue }, items, { notAfterMs: undefined });
      expect(results.every((one) => one.error === undefined)).toBe(true);
    }
  };
  const readsIn = async (ms: number): Promise<number> => {
    const before = reads;
    await clock.advance(ms);
    return reads - before;
  };
  return {
    clock,
    tries,
    sent,
    lines,
    dues,
    faults,
    failingShards,
    submit,
    readsIn,
    context: running.context,
  };
}

function ofQueue(queue: string, tries: readonly SendAttempt[]): SendAttempt[] {
  return tries.filter(({ message }) => message.queue.queue === queue);
}

test('1,200 due tasks whose dispatch fails do not delay the ten tasks behind them', async () => {
  const { clock, sent, submit } = await startTestNode();
  const dueAtMs = clock.now() + 10 * secondMs;
  await submit(broken, 1_200, { runAtMs: dueAtMs });
  await submit(sound, 10, { runAtMs: dueAtMs + 500 });
  await clock.advance(11.5 * secondMs);
  expect(ofQueue(sound, sent)).toHaveLength(10);
  for (const { atMs } of ofQueue(sound, sent)) expect(atMs).toBeLessThan(dueAtMs + 1_500);
});

test('due tasks of a healthy queue are never late while the dispatch to another queue fails', async () => {
  const { clock, sent, submit } = await startTestNode();
  await submit(broken, 1_200, { runAtMs: clock.now() + secondMs });
  for (let i = 0; i < 30; i++) {
    const dueAtMs = clock.now() + 2 * secondMs;
    await submit(sound, 1, { runAtMs: dueAtMs });
    await submit(broken, 20, { runAtMs: dueAtMs });
    await clock.advance(5 * secondMs);
    expect(ofQueue(sound, sent).at(-1)?.atMs).toBeLessThanOrEqual(dueAtMs + secondMs);
  }
});

test('failed due tasks are retried with a backoff of up to a minute, and while a whole queue fails only a few of its tasks are tried', async () => {
  const { clock, tries, dues, submit, readsIn } = await startTestNode();
  await submit(broken, 1_200, { runAtMs: clock.now() + secondMs });
  await clock.advance(2 * minuteMs);
  const timesOf = (id: string): number[] =>
    tries.filter(({ message }) => message.id === id).map(({ atMs }) => Math.round(atMs / secondMs));
  const [first] = tries;
  const times = timesOf(first?.message.id ?? '');
  expect(times.slice(1).map((at, i) => at - (times[i] ?? 0))).toEqual([1, 2, 4, 8, 16, 32]);
  tries.length = 0;
  dues.length = 0;
  expect(await readsIn(10 * minuteMs)).toBeLessThan(10 * 1_200);
  // While the whole queue is backed off, the sweep tries at most one batch of due tasks of each shard once a minute.
  expect(tries.length).toBeGreaterThan(0);
  expect(tries.length).toBeLessThanOrEqual(11 * 8 * 100);
  // The sweep reads one or two pages of each shard once a second: a round without a success is not followed at once by
  // another one.
  expect(dues.length).toBeLessThanOrEqual(600 * 8 * 2);
});

test('all due tasks of a queue are dispatched within a minute after the dispatch to the queue works again', async () => {
  const { clock, sent, submit, faults } = await startTestNode();
  await submit(broken, 1_200, { runAtMs: clock.now() + secondMs });
  await clock.advance(10 * minuteMs);
  faults.failsFor = () => false;
  await clock.advance(minuteMs + 2 * secondMs);
  expect(new Set(ofQueue(broken, sent).map(({ message }) => message.id)).size).toBe(1_200);
});

test('the failures of one sweep round are logged in one line for each queue, with the first error and the number of failures', async () => {
  const { clock, lines, submit, faults } = await startTestNode();
  faults.failsFor = () => true;
  await submit(broken, 1_200, { runAtMs: clock.now() + secondMs });
  await submit('other', 3, { runAtMs: clock.now() + secondMs });
  await clock.advance(secondMs);
  await clock.settle();
  const failureLines = lines.filter(({ queue }) => queue === broken);
  expect(failureLines).toEqual([
    expect.objectContaining({
      err: expect.any(HoldfastError),
      tenant,
      queue: broken,
      task_id: expect.any(String),
      waiting: 1_200,
    }),
  ]);
  expect(failureLines[0]?.failed).toBeGreaterThanOrEqual(10);
  await clock.advance(10 * minuteMs);
  // Each of the two queues is retried and logged at most 16 times in ten minutes.
  expect(lines.length).toBeLessThanOrEqual(2 * 16);
});

test('a due task that always fails delays no other task of its queue', async () => {
  const { clock, sent, tries, submit, faults } = await startTestNode();
  const failing = new Set<string>();
  await submit(sound, 3, { runAtMs: clock.now() + secondMs });
  faults.failsFor = ({ id }) => {
    if (failing.size < 3) failing.add(id);
    return failing.has(id);
  };
  await clock.advance(5 * minuteMs);
  const dueAtMs = clock.now() + secondMs;
  await submit(sound, 300, { runAtMs: dueAtMs });
  await clock.advance(2 * secondMs);
  expect(sent.length).toBe(300);
  for (const { atMs } of sent) expect(atMs).toBeLessThanOrEqual(dueAtMs + secondMs);
  tries.length = 0;
  await clock.advance(10 * minuteMs);
  // Only the tries of the sweep are counted: the reconciler tries these tasks too.
  expect(tries.filter(({ message }) => message.reason === 'due').length).toBeLessThanOrEqual(3 * 11);
});

test('due entries of expired tasks delay no other task', async () => {
  const { clock, sent, submit, context } = await startTestNode(false);
  await submit(sound, 1_200, { windowMs: minuteMs, lifetimeMs: minuteMs, retentionMs: 1 });
  await clock.advance(2 * 60 * minuteMs);
  await submit(sound, 10, { runAtMs: clock.now() + secondMs });
  await clock.advance(secondMs);
  sent.length = 0;
  // One round of the sweep dispatches all ten tasks, although none of the expired tasks was purged.
  await new Sweeper(context).round(new AbortController().signal);
  expect(sent).toHaveLength(10);
});

test('while one shard cannot be read, the sweep goes on with all other shards', async () => {
  const { clock, sent, submit, failingShards } = await startTestNode();
  failingShards.add(0);
  await submit(sound, 400, { runAtMs: clock.now() + secondMs });
  await clock.advance(2 * secondMs);
  expect(sent.length).toBeGreaterThan(300);
  failingShards.clear();
  await clock.advance(2 * secondMs);
  expect(sent.length).toBe(400);
});
