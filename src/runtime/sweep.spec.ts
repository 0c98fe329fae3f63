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

interface Tried {
  readonly message: DispatchMessage;
  readonly atMs: number;
}

/** A node that runs, with bells apart; what it tried to ring, and what it asked for and said. */
async function given(runs = true) {
  const clock = virtualClock();
  const tries: Tried[] = [];
  const sent: Tried[] = [];
  const lines: LogFields[] = [];
  const dues: number[] = [];
  /** Whether a ring fails. */
  const wrong = { isSent: ({ queue }: DispatchMessage): boolean => queue.queue === broken };
  const wrongShards = new Set<number>();
  const send = (one: DispatchMessage): 'sent' | 'failed' => {
    const tried = { message: one, atMs: clock.now() };
    tries.push(tried);
    if (wrong.isSent(one)) return 'failed';
    sent.push(tried);
    return 'sent';
  };
  const engine = externalMemory({ clock, faults: { send } });
  let reads = 0;
  const store: TaskStore = Object.assign(Object.create(engine.store) as TaskStore, {
    due: async (...asked: Parameters<TaskStore['due']>) => {
      dues.push(clock.now());
      if (wrongShards.has(asked[0])) throw new HoldfastError('UNAVAILABLE', 'STORE_FAILED', 'down');
      return engine.store.due(...asked);
    },
    read: async (...asked: Parameters<TaskStore['read']>) => {
      reads += asked[0].length;
      return engine.store.read(...asked);
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
  return { clock, tries, sent, lines, dues, wrong, wrongShards, submit, readsIn, context: running.context };
}

function of(queue: string, tries: readonly Tried[]): Tried[] {
  return tries.filter(({ message }) => message.queue.queue === queue);
}

test('1,200 due tasks whose queue cannot be rung do not keep the ten behind them waiting', async () => {
  const { clock, sent, submit } = await given();
  const dueAtMs = clock.now() + 10 * secondMs;
  await submit(broken, 1_200, { runAtMs: dueAtMs });
  await submit(sound, 10, { runAtMs: dueAtMs + 500 });
  await clock.advance(11.5 * secondMs);
  expect(of(sound, sent)).toHaveLength(10);
  for (const { atMs } of of(sound, sent)) expect(atMs).toBeLessThan(dueAtMs + 1_500);
});

test('tasks that come due while a queue cannot be rung are never late, whatever it had before', async () => {
  const { clock, sent, submit } = await given();
  await submit(broken, 1_200, { runAtMs: clock.now() + secondMs });
  for (let i = 0; i < 30; i++) {
    const dueAtMs = clock.now() + 2 * secondMs;
    await submit(sound, 1, { runAtMs: dueAtMs });
    await submit(broken, 20, { runAtMs: dueAtMs });
    await clock.advance(5 * secondMs);
    expect(of(sound, sent).at(-1)?.atMs).toBeLessThanOrEqual(dueAtMs + secondMs);
  }
});

test('what failed is tried again after pauses that grow to a minute, a few tasks for all of their queue', async () => {
  const { clock, tries, dues, submit, readsIn } = await given();
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
  // At most a batch of each shard, once a minute.
  expect(tries.length).toBeGreaterThan(0);
  expect(tries.length).toBeLessThanOrEqual(11 * 8 * 100);
  // Once a second each shard, a page or two: no round follows at once on one that helped nobody.
  expect(dues.length).toBeLessThanOrEqual(600 * 8 * 2);
});

test('a queue that can be rung again has all its tasks rung within a minute', async () => {
  const { clock, sent, submit, wrong } = await given();
  await submit(broken, 1_200, { runAtMs: clock.now() + secondMs });
  await clock.advance(10 * minuteMs);
  wrong.isSent = () => false;
  await clock.advance(minuteMs + 2 * secondMs);
  expect(new Set(of(broken, sent).map(({ message }) => message.id)).size).toBe(1_200);
});

test('one line of the log tells a round’s failures of a queue, with the first error and how many', async () => {
  const { clock, lines, submit, wrong } = await given();
  wrong.isSent = () => true;
  await submit(broken, 1_200, { runAtMs: clock.now() + secondMs });
  await submit('other', 3, { runAtMs: clock.now() + secondMs });
  await clock.advance(secondMs);
  await clock.settle();
  const told = lines.filter(({ queue }) => queue === broken);
  expect(told).toEqual([
    expect.objectContaining({
      err: expect.any(HoldfastError),
      tenant,
      queue: broken,
      task_id: expect.any(String),
      waiting: 1_200,
    }),
  ]);
  expect(told[0]?.failed).toBeGreaterThanOrEqual(10);
  await clock.advance(10 * minuteMs);
  // After so many pauses of up to a minute, of two queues.
  expect(lines.length).toBeLessThanOrEqual(2 * 16);
});

test('a task that always fails keeps no other of its queue waiting', async () => {
  const { clock, sent, tries, submit, wrong } = await given();
  const ill = new Set<string>();
  await submit(sound, 3, { runAtMs: clock.now() + secondMs });
  wrong.isSent = ({ id }) => {
    if (ill.size < 3) ill.add(id);
    return ill.has(id);
  };
  await clock.advance(5 * minuteMs);
  const dueAtMs = clock.now() + secondMs;
  await submit(sound, 300, { runAtMs: dueAtMs });
  await clock.advance(2 * secondMs);
  expect(sent.length).toBe(300);
  for (const { atMs } of sent) expect(atMs).toBeLessThanOrEqual(dueAtMs + secondMs);
  tries.length = 0;
  await clock.advance(10 * minuteMs);
  // The reconciler tries too.
  expect(tries.filter(({ message }) => message.reason === 'due').length).toBeLessThanOrEqual(3 * 11);
});

test('due entries of tasks that are gone keep nobody waiting', async () => {
  const { clock, sent, submit, context } = await given(false);
  await submit(sound, 1_200, { windowMs: minuteMs, lifetimeMs: minuteMs, retentionMs: 1 });
  await clock.advance(2 * 60 * minuteMs);
  await submit(sound, 10, { runAtMs: clock.now() + secondMs });
  await clock.advance(secondMs);
  sent.length = 0;
  // Nothing was purged, and one round is enough.
  await new Sweeper(context).round(new AbortController().signal);
  expect(sent).toHaveLength(10);
});

test('a shard that cannot be asked keeps no other from being swept', async () => {
  const { clock, sent, submit, wrongShards } = await given();
  wrongShards.add(0);
  await submit(sound, 400, { runAtMs: clock.now() + secondMs });
  await clock.advance(2 * secondMs);
  expect(sent.length).toBeGreaterThan(300);
  wrongShards.clear();
  await clock.advance(2 * secondMs);
  expect(sent.length).toBe(400);
});
