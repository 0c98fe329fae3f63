/** Measures many worker streams: idle ones beside submissions, and many small ones that process a queue. */
import type { Outgoing } from '../../src/client/transport.ts';
import type { WorkRequest } from '../../src/core/messages.ts';
import { bulk, singly } from '../load.ts';
import { startWorker, type WorkerShape } from '../worker-process.ts';
import { medianRate, type ScaleSite } from './site.ts';

const tasks = 20_000;
const callers = 64;

/** Opens streams of workers that wait for a type of which there is no task, and returns a function that ends them. */
async function openIdle({ transport }: ScaleSite, count: number): Promise<() => void> {
  const streams = Array.from({ length: count }, (_, i) => {
    const welcomed = Promise.withResolvers<void>();
    const stream: Outgoing<WorkRequest> = transport.work({
      message: ({ kind }) => kind === 'welcome' && welcomed.resolve(),
      end: (error) => welcomed.reject(error ?? new Error('a worker stream was ended')),
    });
    stream.send({
      ...{ kind: 'hello', tenant: '', workerName: 'idle', workerId: `${i}`, queues: ['elsewhere'] },
      ...{ types: [{ type: 'other', maxVersion: 1 }], tasks: 4, bytes: 1_000_000, reportsBegun: false },
    });
    return { stream, opened: welcomed.promise };
  });
  await Promise.all(streams.map(({ opened }) => opened));
  return () => {
    for (const { stream } of streams) stream.abort();
  };
}

export async function idleStreams(site: ScaleSite): Promise<void> {
  let none = Number.NaN;
  for (const count of [0, 50, 200, 800]) {
    const close = await openIdle(site, count);
    const rate = await medianRate(
      async (round) =>
        tasks / (await singly(site.transport, `idle-${count}-${round}`, tasks, callers, 'ordered')),
    );
    close();
    if (count === 0) none = rate;
    site.report.add(`submit singly beside ${count} idle worker streams`, '/s', rate);
    if (count === 800) site.report.add('  800 idle streams beside none', '', rate / none, '0.9');
  }
}

async function processRate({ server, transport }: ScaleSite, shape: WorkerShape): Promise<number> {
  return medianRate(async (round) => {
    const queue = `shape-${shape.streams}-${round}`;
    await bulk(transport, queue, tasks, 4);
    const worker = await startWorker(server, queue, shape);
    const beganMs = performance.now();
    await worker.until(tasks);
    const seconds = (performance.now() - beganMs) / 1_000;
    await worker.stop();
    return tasks / seconds;
  });
}

export async function smallStreams(site: ScaleSite): Promise<void> {
  const one = await processRate(site, { streams: 1, credits: 800 });
  const many = await processRate(site, { streams: 200, credits: 4 });
  site.report.add('process by 1 stream of 800 credits', '/s', one);
  site.report.add('process by 200 streams of 4 credits', '/s', many);
  site.report.add('  200 streams beside one', '', many / one, '0.8');
}
