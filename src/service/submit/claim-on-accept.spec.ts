import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { item, specOf } from '../../../test/fixtures/api-node.ts';
import type { Assignment } from '../../core/messages.ts';
import { type SqliteEngine, sqlite } from '../../engines/sqlite/index.ts';
import { systemClock } from '../../platform/clock.ts';
import { silentLog } from '../../ports/log.ts';
import type { TaskStore } from '../../ports/task-store.ts';
import { createService } from '../create-service.ts';
import type { Service, Session } from '../service.ts';

const clock = systemClock();
const target = { tenant: 'default', queue: 'q' };
const call = { notAfterMs: undefined };
const folder = mkdtempSync(join(tmpdir(), 'holdfast-first-'));
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function started(wrap: (store: TaskStore) => TaskStore = (same) => same) {
  const engine: SqliteEngine = await sqlite({ path: join(folder, `${crypto.randomUUID()}.db`), clock });
  closing.push(() => engine.close());
  const parts = { ...engine, store: wrap(engine.store), node: 'n', clock, log: silentLog };
  const { service } = await createService({ ...parts, createQueues: true });
  // The first submission creates the queue, so that the commits of that creation are not among the commits that the test
  // counts.
  await service.submit(target, [item('first', { spec: specOf('{}', 'other') })], call);
  return { engine, service };
}

interface Worker {
  readonly session: Session;
  readonly tasks: Assignment[];
}

async function working(service: Service, tasks = 10): Promise<Worker> {
  const assignments: Assignment[] = [];
  const session = service.openSession(
    {
      ...{ tenant: 'default', workerName: 'w', workerId: crypto.randomUUID(), queues: ['q'] },
      ...{ types: [{ type: 'note', maxVersion: 1 }], tasks, bytes: 1_000_000, reportsBegun: true },
    },
    { assign: (_seq, more) => void assignments.push(...more), cancel() {}, drain() {} },
  );
  closing.push(async () => session.close());
  await clock.sleep(20);
  return { session, tasks: assignments };
}

it('a task for which a worker waits is accepted, claimed and assigned in one commit', async () => {
  const { engine, service } = await started();
  const worker = await working(service);
  const before = engine.stats().commits;
  const [answer] = await service.submit(target, [item('k')], call);
  expect(answer).toMatchObject({ state: 'reserved', version: 2, deduplicated: false });
  expect(worker.tasks.map((task) => task.key)).toEqual(['k']);
  expect(engine.stats().commits - before).toBe(1);
  const [task] = worker.tasks;
  if (task === undefined) expect.fail('nothing was assigned');
  const done = { lease: task.lease, outcome: 'succeeded', result: undefined, message: '', errorType: '' };
  const settled = await service.settle(
    [{ ...done, outcome: 'succeeded', afterMs: undefined, begun: false }],
    {
      tenant: 'default',
      sessionId: worker.session.id,
    },
  );
  expect(settled.results).toEqual([{ state: 'succeeded', error: undefined }]);
});

it('a waiting worker gets as many accepted tasks as it has credits, and the other tasks once it has credits again', async () => {
  const { service } = await started();
  const worker = await working(service, 2);
  await service.submit(target, [item('a'), item('b'), item('c')], call);
  expect(worker.tasks.map((task) => task.key)).toEqual(['a', 'b']);
  await clock.sleep(20);
  expect(worker.tasks).toHaveLength(2);
  worker.session.credit(1, 1_000, []);
  await clock.sleep(20);
  expect(worker.tasks.map((task) => task.key)).toEqual(['a', 'b', 'c']);
});

it('the tasks of one submission are spread evenly over the waiting workers', async () => {
  const { service } = await started();
  const workers = [await working(service), await working(service)];
  await service.submit(
    target,
    ['a', 'b', 'c', 'd'].map((key) => item(key)),
    call,
  );
  expect(workers.map((worker) => worker.tasks.length)).toEqual([2, 2]);
});

it('a duplicate submission claims nothing, and the waiting worker keeps its credit', async () => {
  const { service } = await started();
  await service.submit(target, [item('later', { options: { ...item('x').options, delayMs: 60_000 } })], call);
  const worker = await working(service, 1);
  const [again] = await service.submit(target, [item('later')], call);
  expect(again).toMatchObject({ deduplicated: true, state: 'scheduled' });
  await service.submit(target, [item('next')], call);
  expect(worker.tasks.map((task) => task.key)).toEqual(['next']);
});

it('a waiting worker gets its credits back if the commit of a submission fails', async () => {
  let fails = false;
  const { service } = await started((store) => ({
    ...store,
    can: store.can,
    limits: store.limits,
    dueShards: store.dueShards,
    accept: (batch) => (fails ? Promise.reject(new Error('no disk')) : store.accept(batch)),
    append: (batch) => store.append(batch),
    read: (ids, nowMs) => store.read(ids, nowMs),
  }));
  const worker = await working(service, 1);
  fails = true;
  await expect(service.submit(target, [item('a')], call)).rejects.toThrow('no disk');
  fails = false;
  await service.submit(target, [item('b')], call);
  await clock.sleep(20);
  expect(worker.tasks.map((task) => task.key)).toEqual(['b']);
});

it('a task of a lane is claimed only after the commit that accepts it, and only if it is the first of the lane', async () => {
  const { engine, service } = await started();
  const worker = await working(service);
  const before = engine.stats().commits;
  const lane = (key: string) => item(key, { spec: specOf('{}', 'note', 'lane') });
  const answers = await service.submit(target, [lane('a'), lane('b')], call);
  expect(answers.map((one) => one.error ?? one.state)).toEqual(['ready', 'ready']);
  await clock.sleep(20);
  expect(worker.tasks.map((task) => task.key)).toEqual(['a']);
  expect(engine.stats().commits - before).toBeGreaterThan(1);
});

process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
