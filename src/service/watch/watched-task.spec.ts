import { beforeEach, expect, test } from 'vitest';
import { item } from '../../../test/fixtures/api-node.ts';
import { storeError } from '../../../test/fixtures/store-error.ts';
import { watchOf } from '../../../test/fixtures/watch-of.ts';
import type { MemoryEngine } from '../../engines/memory/index.ts';
import { silentLog } from '../../ports/log.ts';
import { externalMemory } from '../../testing/external-broker.ts';
import { type VirtualClock, virtualClock } from '../../testing/virtual-clock.ts';
import { createService, type RunningService } from '../create-service.ts';
import type { WatchUpdate } from '../service.ts';

const queue = { tenant: 'default', queue: 'q' };
let clock: VirtualClock;
let engine: MemoryEngine;
let reads: {
  readonly caller: string;
  readonly name: string;
  readonly items: number;
  readonly atMs: number;
}[];
let failing: string | undefined;
beforeEach(() => {
  clock = virtualClock();
  reads = [];
  failing = undefined;
  const before = ({ caller, name, items }: { caller: string; name: string; items: number }) => {
    if (caller === 'b' && (name === 'store.read' || name === 'store.history'))
      reads.push({ caller, name, items, atMs: clock.now() });
    return failing === caller ? Promise.reject(storeError()) : undefined;
  };
  engine = externalMemory({ clock, faults: { before } });
});

function node(name: string): Promise<RunningService> {
  return createService({ ...engine.connect(name), node: name, clock, log: silentLog, createQueues: true });
}

async function submit({ service }: RunningService, key: string): Promise<string> {
  const [result] = await service.submit(queue, [item(key)], { notAfterMs: undefined });
  if (result === undefined || result.error !== undefined) throw new Error('not accepted');
  return result.id;
}

interface RunningWatch {
  readonly updates: WatchUpdate[];
  readonly done: Promise<void>;
  stop(): void;
}

function follow({ service }: RunningService, id: string, fromVersion = 0): RunningWatch {
  const updates: WatchUpdate[] = [];
  const stop = new AbortController();
  const done = (async () => {
    for await (const update of watchOf(service, 'default', id, fromVersion, stop.signal))
      updates.push(update);
  })();
  done.catch(() => {});
  return { updates, done, stop: () => stop.abort() };
}

const kinds = ({ updates }: RunningWatch) =>
  updates.map((one) => (one.kind === 'event' ? one.event.kind : 'progress'));
const cancel = ({ service }: RunningService, id: string) =>
  service.cancel('default', id, { actor: 'x', message: '' });

test('a watch of a task on one node yields a change made through another node when the task is next polled', async () => {
  const [a, b] = await Promise.all([node('a'), node('b')]);
  const id = await submit(a, 'one');
  const watch = follow(b, id);
  await clock.advance(1_000);
  expect(kinds(watch)).toEqual(['submitted']);
  await cancel(a, id);
  await clock.advance(1_000);
  expect(kinds(watch)).toEqual(['submitted', 'cancelled']);
  await watch.done;
});

test('a watched task without changes is polled after 0.25, 0.5, 1 … 5 s', async () => {
  const [a, b] = await Promise.all([node('a'), node('b')]);
  const id = await submit(a, 'one');
  const startMs = clock.now();
  const watch = follow(b, id);
  await clock.advance(23_000);
  const times = reads.map(({ atMs }) => atMs - startMs);
  expect(times).toEqual([0, 251, 751, 1_751, 3_751, 7_751, 12_751, 17_751, 22_751]);
  watch.stop();
  await watch.done;
});

test('a watched task is read once per poll, however many watchers it has', async () => {
  const [a, b] = await Promise.all([node('a'), node('b')]);
  const id = await submit(a, 'one');
  const watches = Array.from({ length: 50 }, () => follow(b, id));
  await clock.advance(23_000);
  expect(reads.length).toBeLessThanOrEqual(10);
  await cancel(a, id);
  await clock.advance(5_000);
  for (const watch of watches) expect(kinds(watch)).toEqual(['submitted', 'cancelled']);
  await Promise.all(watches.map(({ done }) => done));
});

test('the polls of many watched tasks are combined into few reads of the store', async () => {
  const [a, b] = await Promise.all([node('a'), node('b')]);
  const ids = await Promise.all(Array.from({ length: 60 }, (_, i) => submit(a, `k${i}`)));
  const watches: RunningWatch[] = [];
  for (const id of ids) {
    watches.push(follow(b, id));
    await clock.advance(7);
  }
  await clock.advance(10_000);
  reads = [];
  await clock.advance(20_000);
  const items = reads.reduce((sum, one) => sum + one.items, 0);
  expect(items).toBe(60 * 4);
  expect(reads.length).toBeLessThanOrEqual(12);
  for (const watch of watches) watch.stop();
  await Promise.all(watches.map(({ done }) => done));
});

test('a watched task is no longer read after its last watcher has left', async () => {
  const [a, b] = await Promise.all([node('a'), node('b')]);
  const id = await submit(a, 'one');
  const watch = follow(b, id);
  await clock.advance(1_000);
  watch.stop();
  await watch.done;
  reads = [];
  await clock.advance(60_000);
  expect(reads).toEqual([]);
});

test('a watcher that joins late gets all events of the task so far, or only the events after the version that it names', async () => {
  const [a, b] = await Promise.all([node('a'), node('b')]);
  const id = await submit(a, 'one');
  const first = follow(b, id);
  await clock.advance(20_000);
  await cancel(a, id);
  const second = follow(b, id);
  await clock.settle();
  expect(kinds(second)).toEqual(['submitted', 'cancelled']);
  const later = follow(b, id, 1);
  await clock.settle();
  expect(kinds(later)).toEqual(['cancelled']);
  await Promise.all([first.done, second.done, later.done]);
});

test('a watcher that joins after many events gets all of them, from the history of the task', async () => {
  const [a, b] = await Promise.all([node('a'), node('b')]);
  const id = await submit(a, 'one');
  const first = follow(b, id);
  const release = { outcome: 'released', result: undefined, message: '', errorType: '', afterMs: 0 } as const;
  for (let i = 0; i < 12; i++) {
    const [task = expect.fail('no task')] = await b.service.claim({
      ...{
        tenant: 'default',
        queues: ['q'],
        types: [{ type: 'note', maxVersion: 1 }],
        maxTasks: 1,
        waitMs: 0,
      },
      ...{ workerName: 'w', workerId: '1', requestId: '', signal: new AbortController().signal },
    });
    const settling = { tenant: 'default', sessionId: undefined };
    await b.service.settle([{ lease: task.lease, begun: false, ...release }], settling);
    await clock.advance(1_000);
  }
  const second = follow(b, id);
  await clock.settle();
  expect(kinds(first)).toHaveLength(25);
  expect(second.updates).toEqual(first.updates);
  for (const watch of [first, second]) watch.stop();
  await Promise.all([first.done, second.done]);
});

test('a watch of another tenant’s task is refused, even while the tenant that owns the task watches it', async () => {
  const [a, b] = await Promise.all([node('a'), node('b')]);
  const id = await submit(a, 'one');
  const mine = follow(b, id);
  await clock.settle();
  const theirs = watchOf(b.service, 'other', id, 0, new AbortController().signal)[Symbol.asyncIterator]();
  await expect(theirs.next()).rejects.toMatchObject({ reason: 'TASK_NOT_FOUND' });
  mine.stop();
  await mine.done;
});

test('a temporary failure of the store does not end a running watch, but rejects a watch that begins during the failure', async () => {
  const [a, b] = await Promise.all([node('a'), node('b')]);
  const id = await submit(a, 'one');
  const other = await submit(a, 'two');
  const watch = follow(b, id);
  await clock.advance(1_000);
  failing = 'b';
  const begun = follow(b, other);
  await expect(begun.done).rejects.toMatchObject({ reason: 'STORE_FAILED' });
  await clock.advance(10_000);
  failing = undefined;
  await cancel(a, id);
  await clock.advance(6_000);
  expect(kinds(watch)).toEqual(['submitted', 'cancelled']);
  const again = follow(b, other);
  await clock.settle();
  expect(kinds(again)).toEqual(['submitted']);
  again.stop();
});
