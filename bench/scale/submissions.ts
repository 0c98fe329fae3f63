/** Measures submissions to many queues, large ones beside small ones, a steady load, and watchers. */
import { setTimeout as sleep } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import { WatchTasksRequestSchema } from '../../src/rpc/gen/holdfast/v1/task_service_pb.ts';
import { item, singly, specOf } from '../load.ts';
import { quantile } from './report.ts';
import { medianRate, type ScaleSite } from './site.ts';

const tasks = 20_000;
const callers = 64;

export async function manyQueues({ transport, report }: ScaleSite): Promise<void> {
  const rateOf = (queues: readonly string[]): Promise<number> =>
    medianRate(async () => tasks / (await singly(transport, queues, tasks, callers, 'ordered')));
  const one = await rateOf(['one']);
  const many = await rateOf(Array.from({ length: 1_000 }, (_, i) => `many-${i}`));
  report.add('submit singly to 1 queue', '/s', one);
  report.add('submit singly to 1,000 queues in turn', '/s', many);
  report.add('  1,000 queues beside one', '', many / one, '0.75');
}

const largeCallers = 16;
const largeSeconds = 10;
const largePayload = new TextEncoder().encode(JSON.stringify({ text: 'x'.repeat(256 * 1_024 - 100) }));

/** Submits one task, and returns how long its answer took, in ms. */
async function submitOne({ transport }: ScaleSite, queue: string, spec?: Uint8Array): Promise<number> {
  const beganMs = performance.now();
  const { results } = await transport.submit({ tenant: '', queue, items: [item('ordered', spec)] }, {});
  if (results[0]?.error !== undefined) throw new Error(results[0].error.message);
  return performance.now() - beganMs;
}

export async function largePayloads(site: ScaleSite): Promise<void> {
  const spec = specOf(largePayload);
  const untilMs = performance.now() + largeSeconds * 1_000;
  const isOver = (): boolean => performance.now() >= untilMs;
  let large = 0;
  const small: number[] = [];
  const largeCaller = async (): Promise<void> => {
    while (!isOver()) {
      await submitOne(site, 'large', spec);
      large++;
    }
  };
  const smallCaller = async (): Promise<void> => {
    while (!isOver()) {
      small.push(await submitOne(site, 'small'));
      await sleep(2);
    }
  };
  await Promise.all([...Array.from({ length: largeCallers }, largeCaller), smallCaller()]);
  site.report.add('submit payloads of 256 KB, 16 callers', '/s', large / largeSeconds);
  site.report.add('  small submits beside them p50', 'ms', quantile(small, 0.5));
  site.report.add('  small submits beside them p99', 'ms', quantile(small, 0.99), '≤ 30');
}

const steadyPerS = 5_000;
const steadySeconds = 30;

export async function steadyLoad(site: ScaleSite): Promise<void> {
  const latencies: number[] = [];
  const open: Promise<void>[] = [];
  const beganMs = performance.now();
  for (let sent = 0; sent < steadyPerS * steadySeconds; ) {
    const due = Math.floor(((performance.now() - beganMs) / 1_000) * steadyPerS);
    for (; sent < due; sent++) open.push(submitOne(site, 'steady').then((ms) => void latencies.push(ms)));
    await sleep(1);
  }
  await Promise.all(open);
  const title = `steady ${steadyPerS.toLocaleString('en')}/s for ${steadySeconds} s`;
  site.report.add(`${title}: p50`, 'ms', quantile(latencies, 0.5));
  site.report.add('  p99', 'ms', quantile(latencies, 0.99), '≤ 5');
  site.report.add('  p99.9', 'ms', quantile(latencies, 0.999));
  site.report.add('  longest', 'ms', quantile(latencies, 1), '≤ 20');
}

const watchStreams = 10;
const tasksEach = 100;

export async function watchers({ transport, report }: ScaleSite): Promise<void> {
  const aborted = new AbortController();
  let seen = 0;
  const watching = Array.from({ length: watchStreams }, async () => {
    const items = Array.from({ length: tasksEach }, () => item('ordered'));
    const { results } = await transport.submit({ tenant: '', queue: 'watched', items }, {});
    const watched = results.flatMap((one) => (one.error === undefined ? [{ id: one.id }] : []));
    const request = create(WatchTasksRequestSchema, { tasks: watched });
    const ids = new Set<string>();
    for await (const { id } of transport.watch(request, { signal: aborted.signal })) {
      if (id === '' || ids.has(id)) continue;
      ids.add(id);
      seen++;
    }
  }).map((stream) => stream.catch(() => {}));
  while (seen < watchStreams * tasksEach) await sleep(10);
  const rate = await medianRate(
    async (round) => tasks / (await singly(transport, `beside-${round}`, tasks, callers, 'ordered')),
  );
  aborted.abort();
  await Promise.all(watching);
  report.add('submit singly beside 1,000 watched tasks', '/s', rate);
}
