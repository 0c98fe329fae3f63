/**
 * `npm run bench` measures submissions and processing on the SQLite engine. This process submits; the server and the
 * worker are processes of their own, connected over mutual TLS, and every commit is synced to disk. Each row is the
 * median of three rounds after a warm-up round. `--json` prints one object. `--waiting N` sets the number of waiting
 * tasks in the last rows (by default a million, with `--scale` three); 0 leaves those rows out. `--against REF` measures another commit and this tree in turn, each
 * `--rounds N` times, and prints medians and ratios (against.ts). `--scale` measures what may bend as work grows (scale/main.ts).
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { grpcTransport } from '../src/client/grpc/transport.ts';
import type { Transport } from '../src/client/transport.ts';
import { systemClock } from '../src/platform/clock.ts';
import { programOptions } from '../test/fixtures/program-options.ts';
import { type ServerProcess, type ServerUsage, startServerProcess } from '../test/fixtures/server-process.ts';
import { against, fewestRounds } from './against.ts';
import { bulk, singly } from './load.ts';
import { median, Report } from './report.ts';
import { rowsPerTask } from './rows.ts';
import { measureScale } from './scale/main.ts';
import { startWorker } from './worker-process.ts';

const options = programOptions('bench', {
  json: false,
  waiting: Number.NaN,
  against: '',
  rounds: fewestRounds,
  scale: false,
});
const waiting = Number.isNaN(options.waiting) ? (options.scale ? 3_000_000 : 1_000_000) : options.waiting;
if (options.scale) {
  await measureScale(options.json, waiting);
  process.exit(0);
}
if (options.against !== '') {
  process.exit((await against(options.against, { ...options, waiting })) ? 0 : 1);
}
const tasks = 20_000;
const rounds = 3;
const idleSamples = 2_000;
/** The first samples are not counted. */
const idleWarmUps = 500;
const report = new Report(options.json);

/** The duration of one benchmark round, and the server's CPU time, syncs and written bytes per task. */
interface RoundUsage {
  readonly seconds: number;
  readonly cpuUs: number;
  readonly syncs: number;
  readonly bytes: number;
}

async function measureUsage(server: ServerProcess, seconds: () => Promise<number>): Promise<RoundUsage> {
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

/** Returns the medians of three rounds. A warm-up round before them is not counted. */
async function medianOf(measure: (round: number) => Promise<RoundUsage>): Promise<RoundUsage> {
  const usage: RoundUsage[] = [];
  for (let round = 0; round <= rounds; round++) usage.push(await measure(round));
  usage.shift();
  const of = (part: keyof RoundUsage): number => median(usage.map((one) => one[part]));
  return { seconds: of('seconds'), cpuUs: of('cpuUs'), syncs: of('syncs'), bytes: of('bytes') };
}

async function idle(transport: Transport, server: ServerProcess): Promise<void> {
  const worker = await startWorker(server, 'idle');
  const waits: number[] = [];
  for (let i = 0; i < idleSamples + idleWarmUps; i++) {
    await sleep(5);
    const began = once(worker.child, 'message') as Promise<[{ began?: number; atMs: number }]>;
    const sentMs = performance.timeOrigin + performance.now();
    await singly(transport, 'idle', 1, 1, 'ordered');
    const [message] = await began;
    if (i >= idleWarmUps) waits.push(message.atMs - sentMs);
    await worker.until(i + 1);
  }
  await worker.stop();
  waits.sort((a, b) => a - b);
  report.add('idle submit→start p50', '', 'ms', median(waits), 0.91);
  report.add('idle submit→start p99', '', 'ms', waits[Math.floor(waits.length * 0.99)] ?? 0, 1.54);
}

async function submitting(transport: Transport, server: ServerProcess): Promise<void> {
  for (const keys of ['ordered', 'random'] as const) {
    const measure = (round: number): Promise<number> =>
      singly(transport, `single-${keys}-${round}`, tasks, 64, keys);
    const usage = await medianOf((round) => measureUsage(server, () => measure(round)));
    const prototype = keys === 'ordered' ? 52_000 : 22_500;
    report.add('submit singly, 64 callers', keys, '/s', tasks / usage.seconds, prototype);
    report.add('  server CPU a task', keys, 'µs', usage.cpuUs, keys === 'ordered' ? 13.4 : null);
    report.add('  syncs a task', keys, '', usage.syncs, keys === 'ordered' ? 0.0156 : null);
    report.add('  bytes written a task', keys, 'B', usage.bytes, keys === 'ordered' ? 2_500 : null);
  }
  for (const callers of [1, 4]) {
    const measure = (round: number): Promise<number> =>
      bulk(transport, `bulk-${callers}-${round}`, tasks, callers);
    const usage = await medianOf((round) => measureUsage(server, () => measure(round)));
    const row = `submit in bulk, ${callers} caller${callers > 1 ? 's' : ''}`;
    report.add(row, 'ordered', '/s', tasks / usage.seconds, callers === 1 ? 67_000 : 99_000);
  }
}

async function processing(transport: Transport, server: ServerProcess): Promise<void> {
  const usage = await medianOf(async (round) => {
    const queue = `process-${round}`;
    await bulk(transport, queue, tasks, 4);
    const worker = await startWorker(server, queue);
    const roundUsage = await measureUsage(server, async () => {
      const beganMs = performance.now();
      await worker.until(tasks);
      return (performance.now() - beganMs) / 1_000;
    });
    await worker.stop();
    return roundUsage;
  });
  report.add('process a filled queue', '', '/s', tasks / usage.seconds, 71_000);
  report.add('  server CPU a task', '', 'µs', usage.cpuUs, 7.7);
  report.add('  syncs a task', '', '', usage.syncs, 0.004);
  report.add('  bytes written a task', '', 'B', usage.bytes, 1_200);
}

async function both(transport: Transport, server: ServerProcess): Promise<void> {
  for (const how of ['singly', 'bulk'] as const) {
    const usage = await medianOf(async (round) => {
      const queue = `both-${how}-${round}`;
      const worker = await startWorker(server, queue);
      const roundUsage = await measureUsage(server, async () => {
        const beganMs = performance.now();
        if (how === 'singly') await singly(transport, queue, tasks, 64, 'ordered');
        else await bulk(transport, queue, tasks, 4);
        await worker.until(tasks);
        return (performance.now() - beganMs) / 1_000;
      });
      await worker.stop();
      return roundUsage;
    });
    const prototype = how === 'singly' ? 0.51 : 0.36;
    report.add(`both, ${how}, 20,000 tasks`, 'ordered', 's', usage.seconds, prototype);
    report.add('  server CPU a task', 'ordered', 'µs', usage.cpuUs, how === 'singly' ? 19.2 : null);
    report.add('  syncs a task', 'ordered', '', usage.syncs, how === 'singly' ? 0.0238 : null);
  }
}

async function rows(): Promise<void> {
  const { submit, process } = await rowsPerTask();
  report.add('rows written a submit', '', '', submit, null);
  report.add('rows written a processed task', '', '', process, null);
}

async function backlog(transport: Transport, server: ServerProcess, count: number): Promise<ServerProcess> {
  const seconds = await bulk(transport, 'backlog', count, 4);
  report.add(`filling ${count} waiting`, 'ordered', '/s', count / seconds, 85_000);
  report.add(`memory with ${count} waiting`, '', 'MB', server.usage().rssMb, 213);
  const again = await server.restart();
  report.add(`start after SIGKILL with ${count} waiting`, '', 's', again.startMs / 1_000, 0.17);
  report.add('  memory after that start', '', 'MB', again.usage().rssMb, 213);
  return again;
}

let server = await startServerProcess();
const transport = grpcTransport({ address: server.address, tls: server.tls, clock: systemClock() });
await idle(transport, server);
await submitting(transport, server);
await processing(transport, server);
await both(transport, server);
await rows();
if (waiting > 0) server = await backlog(transport, server, waiting);
await transport.close();
await server.stop();
if (options.json) console.log(report.json());
process.exit(0);
