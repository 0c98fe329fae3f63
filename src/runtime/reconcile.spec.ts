import { describe, expect, it } from 'vitest';
import { item } from '../../test/fixtures/api-node.ts';
import { noOptions } from '../core/codec/options.ts';
import type { OptionsRequest } from '../core/submission/submission.ts';
import type { DispatchMessage } from '../ports/broker.ts';
import { silentLog } from '../ports/log.ts';
import type { TaskFilter } from '../ports/task-store.ts';
import { createService } from '../service/create-service.ts';
import { addNote, carryForward, hourMs, unfinishedNotesOf } from '../service/redrive/reconcile-notes.ts';
import { RedriveNotes } from '../service/redrive/redrive-notes.ts';
import { externalMemory } from '../testing/external-broker.ts';
import { virtualClock } from '../testing/virtual-clock.ts';
import { FailedTasks } from './failed-tasks.ts';
import { QueueBackoff, reconcile } from './reconcile.ts';
import { sweep } from './sweep.ts';

const tenant = 'default';
const target = { tenant, queue: 'q' };
const minuteMs = 60_000;
const dayMs = 24 * hourMs;
const never = new AbortController().signal;

const asks = {
  tenant,
  workerName: 'w',
  workerId: 'w',
  queues: ['q'],
  types: [{ type: 'note', maxVersion: 1 }],
  maxTasks: 10,
  waitMs: 0,
  requestId: '',
  signal: never,
};

function failed(lease: Uint8Array = new Uint8Array(0)) {
  return {
    lease,
    outcome: 'failed' as const,
    result: undefined,
    message: 'no',
    errorType: '',
    afterMs: undefined,
    begun: false,
  };
}

/**
 * Starts a node with `count` submitted tasks. The reconciler runs when `at` is called. Records the dispatch messages that
 * the node sends and the filters of the task lists that it reads.
 */
async function startTestNode(count: number, requested: Partial<OptionsRequest> = {}) {
  const clock = virtualClock();
  const messages: DispatchMessage[] = [];
  const filters: TaskFilter[] = [];
  const unreachableQueues = new Set<string>();
  const failingTasks = new Set<string>();
  const send = (message: DispatchMessage): 'sent' | 'failed' => {
    if (unreachableQueues.has(message.queue.queue) || failingTasks.has(message.id)) return 'failed';
    messages.push(message);
    return 'sent';
  };
  const engine = externalMemory({ clock, faults: { send } });
  const unreadableQueues = new Set<string>();
  const list: typeof engine.store.list = (filter, page) => {
    if (unreadableQueues.has(filter.queue)) throw new Error('not now');
    filters.push(filter);
    return engine.store.list(filter, page);
  };
  const store = Object.assign(Object.create(engine.store) as typeof engine.store, { list });
  const node = { ...engine, store, node: 'node-1', clock, log: silentLog, createQueues: true };
  const { service, context, settled } = await createService(node);
  const options = { ...noOptions, ...requested };
  const items = Array.from({ length: count }, (_, i) => item(`k${i}`, { options }));
  const results = await service.submit(target, items, { notAfterMs: undefined });
  const ids = results.map((one) => (one.error === undefined ? one.id : expect.fail()));
  const atMs = clock.now();
  messages.length = 0;
  const remembered = { queueBackoff: new QueueBackoff(), failedTasks: new FailedTasks() };
  /**
   * Runs the reconciler when the tasks have this age. Returns the ids of the tasks for which it sent a dispatch message.
   */
  const at = async (ageMs: number) => {
    await clock.advance(atMs + ageMs - clock.now());
    messages.length = 0;
    filters.length = 0;
    await reconcile(context, never, remembered);
    return messages.map((one) => one.id);
  };
  /** Runs the reconciler every hour. Returns the days on which it sent a dispatch message for the task. */
  const daysOf = async (id: string, fromDay: number, untilDay: number) => {
    const days: number[] = [];
    for (let hour = fromDay * 24; hour < untilDay * 24; hour++) {
      if ((await at(hour * hourMs)).includes(id)) days.push(Math.floor(hour / 24));
    }
    return days;
  };
  const stateOf = async (id = '') => (await service.get(tenant, id, false)).snapshot.head;
  return {
    service,
    context,
    settled,
    clock,
    unreachableQueues,
    failingTasks,
    unreadableQueues,
    filters,
    ids,
    at,
    daysOf,
    stateOf,
  };
}

describe('the reconciler', () => {
  it('sends a lost dispatch message again at ten minutes, a day and 13 days, and ends the task after its lifetime', async () => {
    const { ids, at, stateOf } = await startTestNode(1);
    expect(await at(9 * minuteMs)).toEqual([]);
    expect(await at(10 * minuteMs + 1)).toEqual(ids);
    expect(await at(11 * minuteMs + 1)).toEqual([]);
    for (const days of [1, 13]) {
      expect(await at(days * dayMs - 2 * hourMs)).toEqual([]);
      expect(await at(days * dayMs + hourMs)).toEqual(ids);
      expect(await at(days * dayMs + 2 * hourMs)).toEqual([]);
    }
    await at(14 * dayMs);
    expect((await stateOf(ids[0])).state).toBe('waiting');
    await at(14 * dayMs + 2 * minuteMs + 1);
    expect(await stateOf(ids[0])).toMatchObject({ state: 'dead', deadReason: 'lifetime' });
  });

  it('examines in later passes only the tasks that were unfinished in the first pass', async () => {
    const { service, filters, ids, at } = await startTestNode(3);
    for (const id of ids.slice(1)) await service.cancel(tenant, id, { actor: 'x', message: '' });
    await at(10 * minuteMs + 1);
    expect(filters).not.toEqual([]);
    expect(await at(dayMs + hourMs)).toEqual(ids.slice(0, 1));
    // Only the first reconcile pass may list tasks, and its range reaches to the end of the day. If a later pass listed
    // tasks, its range would be the first hour of the day.
    expect(filters.filter(({ acceptedUntilMs = 0 }) => acceptedUntilMs < Date.UTC(2026, 0, 1, 23))).toEqual(
      [],
    );
  });

  it('examines all tasks of an hour again if the first pass found many of them unfinished', async () => {
    const { ids, at } = await startTestNode(30);
    expect((await at(10 * minuteMs + 1)).sort()).toEqual([...ids].sort());
    expect((await at(dayMs + hourMs)).sort()).toEqual([...ids].sort());
  });

  it('examines all tasks that it missed while no node was running', async () => {
    const { ids, at } = await startTestNode(2);
    expect((await at(5 * dayMs)).sort()).toEqual([...ids].sort());
    expect((await at(13 * dayMs + hourMs)).sort()).toEqual([...ids].sort());
  });

  it('examines a task that is unfinished after the last pass as if it were new, until the task ends', async () => {
    const { ids, daysOf, stateOf } = await startTestNode(1, { lifetimeMs: 60 * dayMs });
    expect(await daysOf(ids[0] ?? '', 0, 45)).toEqual([0, 1, 13, 14, 15, 27, 28, 29, 41, 42, 43]);
    expect((await stateOf(ids[0])).state).toBe('waiting');
  });

  it('sends the dispatch message again for a task that became ready long after its submission', async () => {
    const runAtMs = Date.UTC(2026, 0, 1) + 20 * dayMs;
    const { ids, context, at, daysOf } = await startTestNode(1, { runAtMs });
    for (let day = 0; day < 20; day++) await at(day * dayMs);
    await at(20 * dayMs + hourMs);
    await sweep(context, never);
    expect(await daysOf(ids[0] ?? '', 21, 33)).toEqual([28, 29, 30]);
  });

  it('examines a redriven task as if it were new, even if the first pass found the task dead', async () => {
    const { service, settled, ids, at, daysOf } = await startTestNode(1, {
      retry: { ...noOptions.retry, maxAttempts: 1 },
    });
    const [task] = await service.claim(asks);
    await service.settle([failed(task?.lease)], { tenant, sessionId: undefined });
    await at(11 * minuteMs);
    await at(13 * hourMs);
    await service.redrive(tenant, ids[0] ?? '', 'me');
    await settled();
    expect(await daysOf(ids[0] ?? '', 1, 15)).toEqual([1, 13, 14]);
  });

  it('sends lost dispatch messages fifty at once, and skips a priority after ten failures in a row', async () => {
    const { context, failingTasks, ids, at } = await startTestNode(100);
    const send = context.broker.send.bind(context.broker);
    const sizes: number[] = [];
    Object.assign(context.broker, {
      send: (messages: readonly DispatchMessage[]) => {
        sizes.push(messages.length);
        return send(messages);
      },
    });
    expect((await at(10 * minuteMs + 1)).sort()).toEqual([...ids].sort());
    expect(sizes).toEqual([50, 50]);
    for (const id of ids) failingTasks.add(id);
    sizes.length = 0;
    await at(dayMs + hourMs);
    expect(sizes[0]).toBe(50);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(150);
  });

  it('reconciles the other queues while one queue fails, and retries that queue later', async () => {
    const { service, unreachableQueues, ids, at } = await startTestNode(2);
    const other = { tenant, queue: 'z' };
    const [there] = await service.submit(other, [item('k')], { notAfterMs: undefined });
    unreachableQueues.add('q');
    expect(await at(10 * minuteMs + 1)).toEqual([there?.error === undefined ? there?.id : '']);
    unreachableQueues.clear();
    expect(await at(10 * minuteMs + 30_000)).toEqual([]);
    expect((await at(11 * minuteMs + 30_000)).sort()).toEqual([...ids].sort());
  });

  it('reaches an older task behind any number of newer tasks whose dispatch fails', async () => {
    const { service, failingTasks, clock, ids, at } = await startTestNode(1);
    await clock.advance(1_000);
    const items = Array.from({ length: 30 }, (_, i) => item(`later-${i}`));
    for (const one of await service.submit(target, items, { notAfterMs: undefined })) {
      if (one.error === undefined) failingTasks.add(one.id);
    }
    const sent: string[] = [];
    for (let minute = 11; minute < 20; minute++) sent.push(...(await at(minute * minuteMs)));
    expect(sent).toEqual(ids);
    failingTasks.clear();
    for (let minute = 20; minute < 100; minute++) sent.push(...(await at(minute * minuteMs)));
    expect(new Set(sent).size).toBe(31);
  });

  it('retries a failed task even while the tasks of its queue cannot be listed', async () => {
    const { failingTasks, unreadableQueues, ids, at } = await startTestNode(1);
    failingTasks.add(ids[0] ?? '');
    expect(await at(11 * minuteMs)).toEqual([]);
    failingTasks.clear();
    unreadableQueues.add('q');
    expect(await at(13 * minuteMs)).toEqual(ids);
  });

  it('runs the first pass over new tasks even if the last pass fails for an old task', async () => {
    const { service, failingTasks, ids, at } = await startTestNode(1, { lifetimeMs: 60 * dayMs });
    for (const age of [11 * minuteMs, dayMs + hourMs, 13 * dayMs + hourMs]) await at(age);
    failingTasks.add(ids[0] ?? '');
    await at(14 * dayMs + 5 * minuteMs);
    const [later] = await service.submit(target, [item('later')], { notAfterMs: undefined });
    const sent = await at(14 * dayMs + 16 * minuteMs);
    expect(sent).toEqual([later?.error === undefined ? later?.id : '']);
  });

  it('writes nothing for an idle queue', async () => {
    const { context, at } = await startTestNode(1);
    await at(2 * dayMs);
    const put = context.registry.put;
    let puts = 0;
    Object.assign(context.registry, {
      put: (...args: Parameters<typeof put>) => {
        puts++;
        return put.apply(context.registry, args);
      },
    });
    for (let minute = 1; minute < 30; minute++) await at(2 * dayMs + minute * minuteMs);
    expect(puts).toBe(0);
  });
});

/** Returns a registry for the reconciler's notes, and a clock that does not wait between two tries of a write. */
function noteStore() {
  const clock = virtualClock();
  const { registry } = externalMemory({ clock });
  return { registry, clock: { random: () => 0, sleep: async () => {} } };
}

describe('the reconciler’s note of the unfinished tasks of an hour', () => {
  it('also lists unfinished tasks of earlier hours, by the hour of their acceptance', async () => {
    const store = noteStore();
    const { registry } = store;
    await carryForward(store, target, 1_000, [{ hour: 3, ids: ['a'] }]);
    await addNote(store, target, 1_000, ['z']);
    await carryForward(store, target, 1_000, [{ hour: 2 }, { hour: 3, ids: ['a', 'b'] }]);
    const carried = [{ hour: 2 }, { hour: 3, ids: ['a', 'b'] }];
    expect(await unfinishedNotesOf(registry, target, 1_000, 1_000)).toEqual([
      { hour: 1_000, ids: ['z'], carried },
    ]);
  });

  it('lists only the hours, not the ids, of many tasks of earlier hours, so that the note stays small', async () => {
    const store = noteStore();
    const carried = Array.from({ length: 80 }, (_, hour) => ({
      hour,
      ids: Array.from({ length: 15 }, (_, i) => `task-${hour}-${i}`),
    }));
    await carryForward(store, target, 1_000, carried);
    const [note] = await unfinishedNotesOf(store.registry, target, 1_000, 1_000);
    expect(note?.carried).toEqual(carried.map(({ hour }) => ({ hour })));
  });

  it('is written at most twice for 100 tasks that are redriven at once', async () => {
    const clock = virtualClock();
    const { registry } = externalMemory({ clock });
    let puts = 0;
    const counting: typeof registry = {
      ...registry,
      get: (...args) => registry.get(...args),
      put: (...args) => {
        puts++;
        return registry.put(...args);
      },
    };
    const redriven = new RedriveNotes({ registry: counting, clock });
    const { ids, context } = await startTestNode(100);
    const tasks = await context.store.read(ids, context.clock.now());
    await Promise.all(tasks.map((task) => redriven.note(task === undefined ? [] : [task])));
    expect(puts).toBeLessThanOrEqual(2);
  });

  it('lists the tasks that several nodes add at once, and is replaced only by the note of a later hour', async () => {
    const store = noteStore();
    const { registry } = store;
    await Promise.all(['a', 'b', 'c'].map((id) => addNote(store, target, 1_000, [id])));
    const of = (first: number, last = first) => unfinishedNotesOf(registry, target, first, last);
    const [note] = await of(1_000);
    expect([...(note?.ids ?? [])].sort()).toEqual(['a', 'b', 'c']);
    await addNote(store, target, 1_000 + 384, ['d']);
    await addNote(store, target, 1_000, ['e']);
    expect(await of(1_000)).toEqual([]);
    expect(await of(900, 2_000)).toEqual([{ hour: 1_384, ids: ['d'] }]);
  });

  it('lists the ids of at most twenty tasks', async () => {
    const store = noteStore();
    const { registry } = store;
    const ids = Array.from({ length: 20 }, (_, i) => `t${i}`);
    await addNote(store, target, 5, ids);
    expect(await unfinishedNotesOf(registry, target, 5, 5)).toEqual([{ hour: 5, ids }]);
    await addNote(store, target, 5, ['one more']);
    expect(await unfinishedNotesOf(registry, target, 5, 5)).toEqual([{ hour: 5 }]);
    await addNote(store, target, 5, ['another']);
    expect(await unfinishedNotesOf(registry, target, 5, 5)).toEqual([{ hour: 5 }]);
  });
});
