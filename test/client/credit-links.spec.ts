/** Tests that a worker keeps its slots busy, and fetches no more than it wants, on links that lose and delay messages. */
import { expect, it } from 'vitest';
import { createClient } from '../../src/client/create-client.ts';
import type { Logger } from '../../src/client/log.ts';
import { defineTask, defineWorker, handle, typed } from '../../src/index.ts';
import { inProcess } from '../../src/node/in-process.ts';
import { silentLog } from '../../src/ports/log.ts';
import { startClientServer } from './client-server.ts';
import { UnevenLink } from './uneven-link.ts';

const job = defineTask('job', { input: typed<{ x: string; ms: number }>(), output: typed<number>() });
const ref = { tenant: 'default', queue: 'default' };

it('a worker whose report stream loses answers three times fetches no more tasks than before', async () => {
  const { client, clock, node, transport, advance } = await startClientServer();
  const sleep = handle(job, async ({ ms }) => {
    await clock.sleep(ms);
    return ms;
  });
  await client.work(defineWorker({ concurrency: 50, handlers: [sleep] }));
  for (let i = 0; i < 30; i++)
    await client.submitMany(
      job,
      Array.from({ length: 100 }, () => ({ input: { x: '', ms: 2_000 } })),
    );
  const most = async (seconds: number): Promise<number> => {
    let held = 0;
    for (let s = 0; s < seconds; s++) {
      await advance(1_000);
      const { workers } = await node.service.workers('default', undefined);
      held = Math.max(held, workers[0]?.inFlight ?? 0);
    }
    return held;
  };
  await advance(3_000);
  const before = await most(6);
  for (let i = 0; i < 3; i++) {
    transport.dropReportAnswers = true;
    await advance(2_100);
    transport.dropReportAnswers = false;
    transport.cut('report');
    await advance(1_000);
  }
  await advance(6_000);
  expect(await most(20)).toBeLessThanOrEqual(before);
});

it('a worker on a slow link runs as many tasks as it has slots after bursts of large tasks', async () => {
  const { client, clock, node, advance, until } = await startClientServer();
  const link = new UnevenLink(inProcess({ api: node.api, clock }), clock);
  const remote = createClient(link, { clock, log: silentLog as Logger });
  let running = 0;
  const run = handle(job, async ({ ms }) => {
    running++;
    await clock.sleep(ms);
    running--;
    return ms;
  });
  const worker = await remote.work(defineWorker({ concurrency: 100, handlers: [run] }));
  link.delayOfKibMs = 4_000 / 1_024;
  const submit = async (count: number, each: number, input: { x: string; ms: number }): Promise<void> => {
    for (let i = 0; i < count; i += each)
      await until(
        client.submitMany(
          job,
          Array.from({ length: each }, () => ({ input })),
        ),
      );
  };
  await submit(3, 3, { x: 'x', ms: 10 });
  await advance(3_000);
  for (let round = 0; round < 6; round++) {
    await node.service.updateQueue(ref, { paused: true }, 'test');
    await submit(69, 3, { x: 'x'.repeat(20_000), ms: 10 });
    await node.service.updateQueue(ref, { paused: false }, 'test');
    await advance(120_000);
    await submit(150, 50, { x: 'x', ms: 60_000 });
    await advance(30_000);
    expect(running).toBe(100);
    await advance(240_000);
  }
  const ends = [worker.drain({ timeout: 0 }), remote.close()];
  await advance(5_000);
  await Promise.all(ends);
});
