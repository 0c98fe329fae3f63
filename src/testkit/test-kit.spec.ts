import { expect, it } from 'vitest';
import { defineTask, defineWorker, FatalError, type Handler, handle, Snooze, typed } from '../index.ts';
import { testKit } from './index.ts';

const send = defineTask('send', {
  input: typed<{ to: string }>(),
  output: typed<string>(),
  retry: { maxAttempts: 4, backoff: () => '1h' },
});
const report = defineTask('report', { input: typed<{ day: number }>() });
const working = (...handlers: Handler[]) => testKit({ worker: defineWorker({ handlers }) });
const minuteMs = 60_000;

it('a task runs at once, and its result can be awaited without moving the time', async () => {
  await using kit = await working(handle(send, ({ to }) => `sent to ${to}`));
  const task = await kit.submit(send, { to: 'ada' });
  expect(await task.result()).toBe('sent to ada');
  expect(kit.clock.now()).toEqual(new Date('2026-01-01T00:00:00Z'));
});

it('a delayed task runs when the clock has been advanced by its delay, and not before', async () => {
  await using kit = await working(handle(send, () => 'ok'));
  const task = await kit.submit(send, { to: 'ada' }, { delay: '3d' });
  await kit.clock.advance('71h');
  expect(await task.status()).toMatchObject({ state: 'scheduled' });
  await kit.clock.advance('1h');
  expect(await task.status()).toMatchObject({ state: 'succeeded' });
  expect(kit.clock.now()).toEqual(new Date('2026-01-04T00:00:00Z'));
});

it('a drain runs each retry at its time and returns how the tasks ended', async () => {
  const times: number[] = [];
  await using kit = await working(
    handle(send, ({ to }, { attempt }) => {
      times.push(kit.clock.now().getTime());
      if (attempt < 4 || to === 'eve') throw new Error('421 try again');
      return 'ok';
    }),
  );
  await kit.submit(send, { to: 'ada' });
  expect(await kit.drain()).toEqual({ succeeded: 1, dead: 0, cancelled: 0, unfinished: 0 });
  const waits = times.slice(1).map((atMs, i) => atMs - (times[i] ?? 0));
  expect(waits).toEqual([60 * minuteMs, 60 * minuteMs, 60 * minuteMs]);
  await kit.submit(send, { to: 'eve' });
  expect(await kit.drain()).toEqual({ succeeded: 1, dead: 1, cancelled: 0, unfinished: 0 });
});

it('a year of daily retries is run by one drain', async () => {
  const patient = defineTask('patient', {
    input: typed<null>(),
    retry: { maxAttempts: 365, backoff: () => '1d' },
  });
  let attempts = 0;
  await using kit = await working(
    handle(patient, () => {
      attempts++;
      throw new Error('not yet');
    }),
  );
  await kit.submit(patient, null, { lifetime: '365d' });
  expect(await kit.drain()).toMatchObject({ dead: 1 });
  expect(attempts).toBe(365);
});

it('a drain stops at its limit and leaves tasks that no worker takes', async () => {
  await using kit = await working(handle(send, () => 'ok'));
  await kit.submit(report, { day: 1 });
  await kit.submit(send, { to: 'ada' }, { delay: '2h' });
  expect(await kit.drain({ limit: '1h' })).toMatchObject({ succeeded: 0, unfinished: 2 });
  expect(kit.clock.now()).toEqual(new Date('2026-01-01T01:00:00Z'));
  expect(await kit.drain()).toMatchObject({ succeeded: 1, unfinished: 1 });
});

it('a kit without a worker shows what the code under test submitted', async () => {
  await using kit = await testKit();
  await kit.client.submit(send, { to: 'ada' }, { tags: ['welcome'] });
  await kit.client.submit(report, { day: 1 });
  expect(await kit.submitted(send)).toMatchObject([
    { type: 'send', input: { to: 'ada' }, tags: ['welcome'], state: 'ready' },
  ]);
  expect(await kit.submitted()).toHaveLength(2);
});

it('a drain also runs the tasks that handlers submit, and lists them as submitted', async () => {
  await using kit = await working(
    handle(report, async ({ day }, { submit }) => {
      await submit(send, { to: `day ${day}` }, { delay: '1d' });
    }),
    handle(send, () => 'ok'),
  );
  const parent = await kit.submit(report, { day: 7 });
  expect(await kit.drain()).toMatchObject({ succeeded: 2 });
  expect(await kit.submitted(send)).toMatchObject([{ input: { to: 'day 7' }, parentId: parent.id }]);
});

it('a handler can wait in virtual time, and is timed out in virtual time', async () => {
  const slow = defineTask('slow', { input: typed<string>(), timeout: '10m', retry: { maxAttempts: 1 } });
  await using kit = await working(
    handle(slow, (wait, { signal }) =>
      kit.clock.sleep(wait as '1m', signal).then(() => signal.throwIfAborted()),
    ),
  );
  const short = await kit.submit(slow, '9m');
  const long = await kit.submit(slow, '11m');
  await kit.clock.advance('8m');
  expect(await short.status()).toMatchObject({ state: 'running' });
  await kit.drain();
  expect(await short.status()).toMatchObject({ state: 'succeeded' });
  expect(await long.status()).toMatchObject({
    state: 'dead',
    lastError: expect.stringContaining('did not end'),
  });
});

it('a handler is called alone with the attempt that the test wants', async () => {
  await using kit = await testKit();
  const handler = handle(send, ({ to }, { attempt, maxAttempts }) => {
    if (to === 'nobody') throw new FatalError('no such person');
    if (attempt < 3) throw new Snooze('1h');
    return `${to} ${attempt}/${maxAttempts}`;
  });
  expect(await kit.run(handler, { to: 'ada' }, { attempt: 3 })).toBe('ada 3/4');
  await expect(kit.run(handler, { to: 'ada' })).rejects.toBeInstanceOf(Snooze);
  await expect(kit.run(handler, { to: 'nobody' })).rejects.toThrow('no such person');
  await expect(kit.run(handler, { to: 'ada' }, { attempt: 0 })).rejects.toMatchObject({
    message: expect.stringContaining('attempt'),
  });
});

it('a handler that waits for something real is waited for', async () => {
  const { readFile } = await import('node:fs/promises');
  await using kit = await working(
    handle(send, async () => {
      for (let i = 0; i < 20; i++) await readFile(new URL(import.meta.url));
      return 'read';
    }),
  );
  const task = await kit.submit(send, { to: 'ada' });
  expect(await kit.drain()).toMatchObject({ succeeded: 1 });
  expect(await task.status()).toMatchObject({ attempt: 1 });
});

it('a wait for a result ends by its timeout in virtual time', async () => {
  await using kit = await working(handle(send, () => 'ok'));
  const task = await kit.submit(send, { to: 'ada' }, { delay: '2h' });
  const refused = expect(task.result({ timeout: '1h' })).rejects.toMatchObject({ reason: 'TIMED_OUT' });
  await kit.clock.advance('59m');
  expect(await task.status()).toMatchObject({ state: 'scheduled' });
  await kit.clock.advance('2m');
  await refused;
});

it('tasks of one ordering key run one after the other, across their retries', async () => {
  const ordered = defineTask('ordered', {
    input: typed<number>(),
    orderingKey: () => 'account-7',
    retry: { backoff: () => '1h' },
  });
  const seen: number[] = [];
  await using kit = await working(
    handle(ordered, (number, { attempt }) => {
      seen.push(number);
      if (attempt === 1) throw new Error('not yet');
    }),
  );
  for (const number of [1, 2, 3]) await kit.submit(ordered, number);
  expect(await kit.drain()).toMatchObject({ succeeded: 3 });
  expect(seen).toEqual([1, 1, 2, 2, 3, 3]);
});

it('a kit closes although a handler never ends, and its client then refuses calls', async () => {
  const kit = await working(handle(send, () => new Promise<string>(() => {})));
  await kit.submit(send, { to: 'ada' });
  await kit.close();
  await kit.close();
  await expect(kit.submit(send, { to: 'ada' })).rejects.toMatchObject({ reason: 'ABANDONED' });
});

it('a kit refuses a worker that defineWorker has not made', async () => {
  const handlers = [handle(send, () => 'ok')];
  await expect(testKit({ worker: { handlers } as never })).rejects.toMatchObject({
    reason: 'BAD_CONFIGURATION',
    help: expect.stringContaining('defineWorker'),
  });
});
