import { expect, it } from 'vitest';
import {
  type AttemptAborted,
  defineTask,
  defineWorker,
  type Handler,
  HoldfastError,
  handle,
  typed,
} from '../index.ts';
import { testKit } from './index.ts';

const charge = defineTask('charge', { input: typed<{ cents: number }>() });
const other = defineTask('other', { input: typed<null>() });
const working = (...handlers: Handler[]) => testKit({ worker: defineWorker({ handlers }) });

it('a task whose worker crashes runs again when its lease has expired', async () => {
  const seen: number[] = [];
  await using kit = await working(
    handle(charge, async (_, { fencingToken }) => {
      seen.push(fencingToken);
      if (seen.length === 1) await kit.clock.sleep('1h');
    }),
  );
  const task = await kit.submit(charge, { cents: 100 });
  await kit.clock.advance('1s');
  await kit.faults.crashWorker();
  await kit.clock.advance('10s');
  expect(seen).toHaveLength(1);
  await kit.clock.advance('1m');
  expect(seen).toHaveLength(2);
  expect(seen[1]).toBeGreaterThan(seen[0] ?? 0);
  expect(await task.status()).toMatchObject({ state: 'succeeded', losses: 1 });
});

it('an attempt that loses its lease runs beside the next one and its signal is aborted', async () => {
  const aborted: string[] = [];
  let calls = 0;
  await using kit = await working(
    handle(charge, async (_, { signal }) => {
      if (++calls > 1) return;
      signal.addEventListener('abort', () => aborted.push((signal.reason as AttemptAborted).kind));
      await kit.clock.sleep('2m', signal);
    }),
  );
  kit.faults.loseLease(charge);
  const task = await kit.submit(charge, { cents: 100 });
  expect(await kit.drain()).toMatchObject({ succeeded: 1 });
  expect(calls).toBe(2);
  expect(aborted).toEqual(['lease-lost']);
  const events = await Array.fromAsync(task.events());
  expect(events.map(({ kind }) => kind)).toContain('leaseExpired');
});

it('a duplicated delivery calls the handler twice, of the named task type alone', async () => {
  const calls: string[] = [];
  await using kit = await working(
    handle(charge, (_, { id }) => void calls.push(id)),
    handle(other, () => void calls.push('other')),
  );
  kit.faults.duplicateDelivery(charge);
  await kit.submit(other, null);
  const task = await kit.submit(charge, { cents: 100 });
  expect(await kit.drain()).toMatchObject({ succeeded: 2 });
  expect(calls).toEqual(['other', task.id, task.id]);
});

it('as many submissions are refused as the test asks for, without a retry', async () => {
  await using kit = await working(handle(charge, () => {}));
  kit.faults.refuseSubmissions({ times: 2 });
  const refused = { code: 'UNAVAILABLE', reason: 'UNREACHABLE' };
  await expect(kit.submit(charge, { cents: 1 })).rejects.toMatchObject(refused);
  await expect(kit.submit(charge, { cents: 1 })).rejects.toMatchObject(refused);
  await kit.submit(charge, { cents: 1 });
  const error = new HoldfastError('RESOURCE_EXHAUSTED', 'STORE_FULL', 'The disk is full.');
  kit.faults.refuseSubmissions({ error });
  await expect(kit.submit(charge, { cents: 1 })).rejects.toMatchObject({ reason: 'STORE_FULL' });
  expect(await kit.submitted(charge)).toHaveLength(1);
});

it('a submission of a handler is refused too, and the attempt is retried', async () => {
  await using kit = await working(
    handle(charge, () => {}),
    handle(other, async (_, { submit }) => void (await submit(charge, { cents: 1 }))),
  );
  const task = await kit.submit(other, null, { delay: '1h' });
  kit.faults.refuseSubmissions();
  await kit.drain();
  expect(await task.status()).toMatchObject({ state: 'succeeded', attempt: 2 });
  expect(await kit.submitted(charge)).toHaveLength(1);
});

it('a task whose handler crashes each of its workers is dead after its losses, and dead workers log nothing', async () => {
  const lines: unknown[] = [];
  const note = (...line: unknown[]) => void lines.push(line);
  await using kit = await testKit({
    log: { debug: note, info: note, warn: note, error: note },
    worker: defineWorker({
      handlers: [
        handle(charge, async () => {
          await kit.faults.crashWorker();
          await new Promise(() => {});
        }),
      ],
    }),
  });
  const task = await kit.submit(charge, { cents: 100 });
  expect(await kit.drain()).toMatchObject({ dead: 1 });
  expect(await task.status()).toMatchObject({ deadReason: 'workerLost', losses: 3 });
  expect(lines).toEqual([]);
});
