import { describe, expect, it } from 'vitest';
import { item } from '../../test/fixtures/api-node.ts';
import { noOptions } from '../core/codec/options.ts';
import type { OptionsRequest } from '../core/submission/submission.ts';
import type { DispatchMessage } from '../ports/broker.ts';
import { silentLog } from '../ports/log.ts';
import type { Filter } from '../ports/task-store.ts';
import { createService } from '../service/create-service.ts';
import { carry, hourMs, leave, leftoversOf } from '../service/redrive/reconcile-notes.ts';
import { Redriven } from '../service/redrive/redrive-notes.ts';
import { externalMemory } from '../testing/external-broker.ts';
import { virtualClock } from '../testing/virtual-clock.ts';
import { UnhelpedTasks } from './failed-tasks.ts';
import { Resting, reconcile } from './reconcile.ts';
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
  };
}

/** A node whose reconciler runs once a minute or when it is told to; what it rings and how often it lists. */
async function given(count: number, asked: Partial<OptionsRequest> = {}) {
  const clock = virtualClock();
  const messages: DispatchMessage[] = [];
  const filters: Filter[] = [];
  const silent = new Set<string>();
  const cannot = new Set<string>();
  const send = (message: DispatchMessage): 'sent' | 'failed' => {
    if (silent.has(message.queue.queue) || cannot.has(message.id)) return 'failed';
    messages.push(message);
    return 'sent';
  };
  const engine = externalMemory({ clock, faults: { send } });
  const unreadable = new Set<string>();
  const list: typeof engine.store.list = (filter, page) => {
    if (unreadable.has(filter.queue)) throw new Error('not now');
    filters.push(filter);
    return engine.store.list(filter, page);
  };
  const store = Object.assign(Object.create(engine.store) as typeof engine.store, { list });
  const node = { ...engine, store, node: 'node-1', clock, log: silentLog, createQueues: true };
  const { service, context, settled } = await createService(node);
  const options = { ...noOptions, ...asked };
  const items = Array.from({ length: count }, (_, i) => item(`k${i}`, { options }));
  const results = await service.submit(target, items, { notAfterMs: undefined });
  const ids = results.map((one) => (one.error === undefined ? one.id : expect.fail()));
  const atMs = clock.now();
  messages.length = 0;
  const remembered = { resting: new Resting(), unhelped: new UnhelpedTasks() };
  const at = async (ageMs: number) => {
    await clock.advance(atMs + ageMs - clock.now());
    messages.length = 0;
    filters.length = 0;
    await reconcile(context, never, remembered);
    return messages.map((one) => one.id);
  };
  /** As a node does that is never away: which days it rang, hour by hour. */
  const daysOf = async (id: string, fromDay: number, untilDay: number) => {
    const days: number[] = [];
    for (let hour = fromDay * 24; hour < untilDay * 24; hour++) {
      if ((await at(hour * hourMs)).includes(id)) days.push(Math.floor(hour / 24));
    }
    return days;
  };
  const stateOf = async (id = '') => (await service.get(tenant, id, false)).snapshot.head;
  return { service, context, settled, clock, silent, cannot, unreadable, filters, ids, at, daysOf, stateOf };
}

describe('the reconciler', () => {
  it('rings a task that lost its bell at ten minutes, a day and 13 days, and ends it at its lifetime', async () => {
    const { ids, at, stateOf } = await given(1);
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

  it('looks again only at what the first look left unfinished', async () => {
    const { service, filters, ids, at } = await given(3);
    for (const id of ids.slice(1)) await service.cancel(tenant, id, { actor: 'x', message: '' });
    await at(10 * minuteMs + 1);
    expect(filters).not.toEqual([]);
    expect(await at(dayMs + hourMs)).toEqual(ids.slice(0, 1));
    // The tasks of the day between: the first look's own range.
    expect(filters.filter(({ acceptedUntilMs = 0 }) => acceptedUntilMs < Date.UTC(2026, 0, 1, 23))).toEqual(
      [],
    );
  });

  it('of an hour that left many looks through all again', async () => {
    const { ids, at } = await given(30);
    expect((await at(10 * minuteMs + 1)).sort()).toEqual([...ids].sort());
    expect((await at(dayMs + hourMs)).sort()).toEqual([...ids].sort());
  });

  it('that was away looks at what it missed', async () => {
    const { ids, at } = await given(2);
    expect((await at(5 * dayMs)).sort()).toEqual([...ids].sort());
    expect((await at(13 * dayMs + hourMs)).sort()).toEqual([...ids].sort());
  });

  it('looks at what outlives its last look as if it were new, and so on until it ends', async () => {
    const { ids, daysOf, stateOf } = await given(1, { lifetimeMs: 60 * dayMs });
    expect(await daysOf(ids[0] ?? '', 0, 45)).toEqual([0, 1, 13, 14, 15, 27, 28, 29, 41, 42, 43]);
    expect((await stateOf(ids[0])).state).toBe('waiting');
  });

  it('finds the bell of a task that was made ready long after it was submitted', async () => {
    const runAtMs = Date.UTC(2026, 0, 1) + 20 * dayMs;
    const { ids, context, at, daysOf } = await given(1, { runAtMs });
    for (let day = 0; day < 20; day++) await at(day * dayMs);
    await at(20 * dayMs + hourMs);
    await sweep(context, never);
    expect(await daysOf(ids[0] ?? '', 21, 33)).toEqual([28, 29, 30]);
  });

  it('looks at a redriven task as if it were new, though its first look found it dead', async () => {
    const { service, settled, ids, at, daysOf } = await given(1, {
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

  it('goes on with other queues and tasks where some cannot be rung, and comes back to them ever more rarely', async () => {
    const { service, silent, ids, at } = await given(2);
    const other = { tenant, queue: 'z' };
    const [there] = await service.submit(other, [item('k')], { notAfterMs: undefined });
    silent.add('q');
    expect(await at(10 * minuteMs + 1)).toEqual([there?.error === undefined ? there?.id : '']);
    silent.clear();
    expect(await at(10 * minuteMs + 30_000)).toEqual([]);
    expect((await at(11 * minuteMs + 30_000)).sort()).toEqual([...ids].sort());
  });

  it('comes to older tasks past those that cannot be rung, however many they are', async () => {
    const { service, cannot, clock, ids, at } = await given(1);
    await clock.advance(1_000);
    const items = Array.from({ length: 30 }, (_, i) => item(`later-${i}`));
    for (const one of await service.submit(target, items, { notAfterMs: undefined })) {
      if (one.error === undefined) cannot.add(one.id);
    }
    const sent: string[] = [];
    for (let minute = 11; minute < 20; minute++) sent.push(...(await at(minute * minuteMs)));
    expect(sent).toEqual(ids);
    cannot.clear();
    for (let minute = 20; minute < 100; minute++) sent.push(...(await at(minute * minuteMs)));
    expect(new Set(sent).size).toBe(31);
  });

  it('tries again what could not be helped, also where its queue cannot be looked through', async () => {
    const { cannot, unreadable, ids, at } = await given(1);
    cannot.add(ids[0] ?? '');
    expect(await at(11 * minuteMs)).toEqual([]);
    cannot.clear();
    unreadable.add('q');
    expect(await at(13 * minuteMs)).toEqual(ids);
  });

  it('takes its first look at new tasks whatever a last look meets', async () => {
    const { service, cannot, ids, at } = await given(1, { lifetimeMs: 60 * dayMs });
    for (const age of [11 * minuteMs, dayMs + hourMs, 13 * dayMs + hourMs]) await at(age);
    cannot.add(ids[0] ?? '');
    await at(14 * dayMs + 5 * minuteMs);
    const [later] = await service.submit(target, [item('later')], { notAfterMs: undefined });
    const sent = await at(14 * dayMs + 16 * minuteMs);
    expect(sent).toEqual([later?.error === undefined ? later?.id : '']);
  });

  it('costs an idle queue no write', async () => {
    const { context, at } = await given(1);
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

/** Where nobody waits long. */
function bookOf() {
  const clock = virtualClock();
  const { registry } = externalMemory({ clock });
  return { registry, clock: { random: () => 0, sleep: async () => {} } };
}

describe('the note of an hour', () => {
  it('carries what is looked at along with it, by the hour of its acceptance', async () => {
    const book = bookOf();
    const { registry } = book;
    await carry(book, target, 1_000, [{ hour: 3, ids: ['a'] }]);
    await leave(book, target, 1_000, ['z']);
    await carry(book, target, 1_000, [{ hour: 2 }, { hour: 3, ids: ['a', 'b'] }]);
    const carried = [{ hour: 2 }, { hour: 3, ids: ['a', 'b'] }];
    expect(await leftoversOf(registry, target, 1_000, 1_000)).toEqual([{ hour: 1_000, ids: ['z'], carried }]);
  });

  it('drops the names of what it carries where they are many, and stays small', async () => {
    const book = bookOf();
    const carried = Array.from({ length: 80 }, (_, hour) => ({
      hour,
      ids: Array.from({ length: 15 }, (_, i) => `task-${hour}-${i}`),
    }));
    await carry(book, target, 1_000, carried);
    const [note] = await leftoversOf(book.registry, target, 1_000, 1_000);
    expect(note?.carried).toEqual(carried.map(({ hour }) => ({ hour })));
  });

  it('is written once for all that are redriven at once', async () => {
    const clock = virtualClock();
    const { registry } = externalMemory({ clock });
    let puts = 0;
    const counting: typeof registry = {
      ...registry,
      get: (...asked) => registry.get(...asked),
      put: (...asked) => {
        puts++;
        return registry.put(...asked);
      },
    };
    const redriven = new Redriven({ registry: counting, clock });
    const { ids, context } = await given(100);
    const tasks = await context.store.read(ids, context.clock.now());
    await Promise.all(tasks.map((task) => redriven.note(task === undefined ? [] : [task])));
    expect(puts).toBeLessThanOrEqual(2);
  });

  it('holds what all nodes left, and gives way to a later hour alone', async () => {
    const book = bookOf();
    const { registry } = book;
    await Promise.all(['a', 'b', 'c'].map((id) => leave(book, target, 1_000, [id])));
    const of = (first: number, last = first) => leftoversOf(registry, target, first, last);
    const [note] = await of(1_000);
    expect([...(note?.ids ?? [])].sort()).toEqual(['a', 'b', 'c']);
    await leave(book, target, 1_000 + 384, ['d']);
    await leave(book, target, 1_000, ['e']);
    expect(await of(1_000)).toEqual([]);
    expect(await of(900, 2_000)).toEqual([{ hour: 1_384, ids: ['d'] }]);
  });

  it('names no more than twenty', async () => {
    const book = bookOf();
    const { registry } = book;
    const ids = Array.from({ length: 20 }, (_, i) => `t${i}`);
    await leave(book, target, 5, ids);
    expect(await leftoversOf(registry, target, 5, 5)).toEqual([{ hour: 5, ids }]);
    await leave(book, target, 5, ['one more']);
    expect(await leftoversOf(registry, target, 5, 5)).toEqual([{ hour: 5 }]);
    await leave(book, target, 5, ['another']);
    expect(await leftoversOf(registry, target, 5, 5)).toEqual([{ hour: 5 }]);
  });
});
