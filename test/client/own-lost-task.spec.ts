/** Tests a worker that gets a task back whose lease it lost, while the handler of its earlier attempt still runs. */
import { expect, it } from 'vitest';
import type { AloneAttempt, AloneEnd } from '../../src/client/worker/run-alone.ts';
import { withAloneRunner } from '../../src/client/worker/run-alone.ts';
import { defineTask, defineWorker, handle, typed } from '../../src/index.ts';
import { submitLost } from './alone-tasks.ts';
import { type ClientServer, startClientServer } from './client-server.ts';

const job = defineTask('job', { input: typed<{ n: number }>(), timeout: '60s' });

/** Cuts a worker off for longer than its leases last. */
async function cutOff({ transport, advance }: ClientServer): Promise<void> {
  transport.unreachable = true;
  transport.cut('work');
  transport.cut('report');
  await advance(40_000);
  transport.unreachable = false;
  await advance(10_000);
}

it('a worker that gets its own lost task back ends the earlier attempt, so that a handler that hangs keeps no slot', async () => {
  const server = await startClientServer();
  const { client, clock, advance, until } = server;
  let calls = 0;
  let running = 0;
  let most = 0;
  const run = async ({ n }: { n: number }): Promise<void> => {
    if (n === 1 && ++calls === 1) await new Promise(() => {});
    most = Math.max(most, ++running);
    await clock.sleep(1_000);
    running--;
  };
  const worker = await client.work(defineWorker({ concurrency: 2, handlers: [handle(job, run)] }));
  const hung = await client.submit(job, { n: 1 });
  await advance(12_000);
  await cutOff(server);
  expect(calls).toBe(2);
  expect(await hung.status()).toMatchObject({ state: 'succeeded', attempt: 1, losses: 1 });
  most = 0;
  for (const n of [2, 3, 4, 5]) await client.submit(job, { n });
  await advance(5_000);
  expect(most).toBe(2);
  const drainsAtMs = clock.now();
  expect(await until(worker.drain())).toMatchObject({ released: 0, stillRunning: 1 });
  expect(clock.now() - drainsAtMs).toBeLessThan(1_000);
});

it('a worker that gets its own lost task back ends the process in which the earlier attempt runs alone', async () => {
  const server = await startClientServer();
  const lost = await submitLost(server, job, 10, 5_000);
  const attempts: AloneAttempt[] = [];
  const run = (attempt: AloneAttempt): Promise<AloneEnd> => {
    attempts.push(attempt);
    return new Promise(() => {});
  };
  const worker = defineWorker({ concurrency: 2, handlers: [handle(job, () => {})] });
  await server.client.work(withAloneRunner(worker, { processes: 2, run }));
  await server.advance(12_000);
  expect(attempts.map(({ over }) => over.aborted)).toEqual([false]);
  // A release that another process sends under the same lease: with a lost lease the task would be dead.
  await server.node.service.settle(
    [
      {
        ...{
          lease: attempts[0]?.assignment.lease ?? expect.fail('nothing began'),
          outcome: 'released',
          begun: false,
        },
        ...{ result: undefined, message: '', errorType: '', afterMs: undefined },
      },
    ],
    { tenant: 'default', sessionId: undefined },
  );
  await server.advance(15_000);
  expect(attempts.map(({ over }) => over.aborted)).toEqual([true, false]);
  expect(await lost.status()).toMatchObject({ state: 'running', losses: 2 });
});
