/**
 * `npm run bench`: submitter (this process), server and worker as processes of their own, over mutual TLS, every commit
 * synced. Medians of three rounds after one to warm up; `--json` prints one object, `--waiting N` sets the backlog of
 * the last rows (0: leave it out).
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { grpcTransport } from '../src/client/grpc/transport.ts';
import type { Transport } from '../src/client/transport.ts';
import { systemClock } from '../src/platform/clock.ts';
import { programOptions } from '../test/fixtures/program-options.ts';
import { type RigServer, type ServerUsage, startServer } from '../test/fixtures/server-process.ts';
import { bulk, singly } from './load.ts';
import { median, Report } from './report.ts';
import { rowsPerTask } from './rows.ts';
import { startWorker } from './worker-process.ts';

const options = programOptions('bench', { json: false, waiting: 1_000_000 });
const tasks = 20_000;
const rounds = 3;
const idleSamples = 200;
const report = new Report(options.json);

/** Of one round: how long, and what the server spent on a task. */
interface Spent {
  readonly seconds: number;
  readonly cpuUs: number;
  readonly syncs: number;
  readonly bytes: number;
}

async function spending(server: RigServer, seconds: () => Promise<number>): Promise<Spent> {
  const before: ServerUsage = server.usage();
  const taken = await seconds();
  const after = server.usage();
  return {
    seconds: taken,
    cpuUs: ((after.cpuMs - before.cpuMs) * 1_000) / tasks,
    syncs: (after.syncs - before.syncs) / tasks,
    bytes: (after.writtenBytes - before.writtenBytes) / tasks,
  };
}

/** The first round warms up: a server is measured as it runs, not as it starts. */
async function medianOf(measure: (round: number) => Promise<Spent>): Promise<Spent> {
  const spent: Spent[] = [];
  for (let round = 0; round <= rounds; round++) spent.push(await measure(round));
  spent.shift();
  const of = (part: keyof Spent): number => median(spent.map((one) => one[part]));
  return { seconds: of('seconds'), cpuUs: of('cpuUs'), syncs: of('syncs'), bytes: of('bytes') };
}

async function idle(transport: Transport, server: RigServer): Promise<void> {
  const worker = await startWorker(server, 'idle');
  const waits: number[] = [];
  for (let i = 0; i < idleSamples * 2; i++) {
    await sleep(5);
    const began = once(worker.child, 'message') as Promise<[{ began?: number; atMs: number }]>;
    const sentMs = performance.timeOrigin + performance.now();
    await singly(transport, 'idle', 1, 1, 'ordered');
    const [message] = await began;
    // The first half warms up.
    if (i >= idleSamples) waits.push(message.atMs - sentMs);
    await worker.until(i + 1);
  }
  await worker.stop();
  waits.sort((a, b) => a - b);
  report.add('idle submit→start p50', '', 'ms', median(waits), 0.91);
  report.add('idle submit→start p99', '', 'ms', waits[Math.floor(waits.length * 0.99)] ?? 0, 1.54);
}

async function submitting(transport: Transport, server: RigServer): Promise<void> {
  for (const keys of ['ordered', 'random'] as const) {
    const measure = (round: number): Promise<number> =>
      singly(transport, `single-${keys}-${round}`, tasks, 64, keys);
    const spent = await medianOf((round) => spending(server, () => measure(round)));
    const prototype = keys === 'ordered' ? 52_000 : 22_500;
    report.add('submit singly, 64 callers', keys, '/s', tasks / spent.seconds, prototype);
    report.add('  server CPU a task', keys, 'µs', spent.cpuUs, keys === 'ordered' ? 13.4 : null);
    report.add('  syncs a task', keys, '', spent.syncs, keys === 'ordered' ? 0.0156 : null);
    report.add('  bytes written a task', keys, 'B', spent.bytes, keys === 'ordered' ? 2_500 : null);
  }
  for (const callers of [1, 4]) {
    const measure = (round: number): Promise<number> =>
      bulk(transport, `bulk-${callers}-${round}`, tasks, callers);
    const spent = await medianOf((round) => spending(server, () => measure(round)));
    const row = `submit in bulk, ${callers} caller${callers > 1 ? 's' : ''}`;
    report.add(row, 'ordered', '/s', tasks / spent.seconds, callers === 1 ? 67_000 : 99_000);
  }
}

async function processing(transport: Transport, server: RigServer): Promise<void> {
  const spent = await medianOf(async (round) => {
    const queue = `process-${round}`;
    await bulk(transport, queue, tasks, 4);
    const worker = await startWorker(server, queue);
    const round_ = await spending(server, async () => {
      const beganMs = performance.now();
      await worker.until(tasks);
      return (performance.now() - beganMs) / 1_000;
    });
    await worker.stop();
    return round_;
  });
  report.add('process a filled queue', '', '/s', tasks / spent.seconds, 71_000);
  report.add('  server CPU a task', '', 'µs', spent.cpuUs, 7.7);
  report.add('  syncs a task', '', '', spent.syncs, 0.004);
  report.add('  bytes written a task', '', 'B', spent.bytes, 1_200);
}

async function both(transport: Transport, server: RigServer): Promise<void> {
  for (const how of ['singly', 'bulk'] as const) {
    const spent = await medianOf(async (round) => {
      const queue = `both-${how}-${round}`;
      const worker = await startWorker(server, queue);
      const round_ = await spending(server, async () => {
        const beganMs = performance.now();
        if (how === 'singly') await singly(transport, queue, tasks, 64, 'ordered');
        else await bulk(transport, queue, tasks, 4);
        await worker.until(tasks);
        return (performance.now() - beganMs) / 1_000;
      });
      await worker.stop();
      return round_;
    });
    const prototype = how === 'singly' ? 0.51 : 0.36;
    report.add(`both, ${how}, 20,000 tasks`, 'ordered', 's', spent.seconds, prototype);
    report.add('  server CPU a task', 'ordered', 'µs', spent.cpuUs, how === 'singly' ? 19.2 : null);
    report.add('  syncs a task', 'ordered', '', spent.syncs, how === 'singly' ? 0.0238 : null);
  }
}

async function rows(): Promise<void> {
  const { submit, process } = await rowsPerTask();
  report.add('rows written a submit', '', '', submit, null);
  report.add('rows written a processed task', '', '', process, null);
}

async function backlog(transport: Transport, server: RigServer, count: number): Promise<RigServer> {
  const seconds = await bulk(transport, 'backlog', count, 4);
  report.add(`filling ${count} waiting`, 'ordered', '/s', count / seconds, 85_000);
  report.add(`memory with ${count} waiting`, '', 'MB', server.usage().rssMb, 213);
  const again = await server.restart();
  report.add(`start after SIGKILL with ${count} waiting`, '', 's', again.startMs / 1_000, 0.17);
  report.add('  memory after that start', '', 'MB', again.usage().rssMb, 213);
  return again;
}

let server = await startServer();
const transport = grpcTransport({ address: server.address, tls: server.tls, clock: systemClock() });
await idle(transport, server);
await submitting(transport, server);
await processing(transport, server);
await both(transport, server);
await rows();
const { waiting } = options;
if (waiting > 0) server = await backlog(transport, server, waiting);
await transport.close();
await server.stop();
if (options.json) console.log(report.json());
process.exit(0);
