/**
 * `npm run bench`: submitter (this process), server and worker as processes of their own, over mutual TLS, every commit
 * synced. Medians of three; `--json` prints one object, `--waiting N` sets the backlog of the last rows (0: leave out).
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { grpcTransport } from '../src/client/grpc/transport.ts';
import type { Transport } from '../src/client/transport.ts';
import { systemClock } from '../src/platform/clock.ts';
import { type RigServer, startServer } from '../test/rig/server-process.ts';
import { bulk, type Keys, singly } from './load.ts';

interface Row {
  readonly row: string;
  readonly keys: Keys | '';
  readonly unit: string;
  readonly value: number;
  /** What the prototype of the whole path reached on a machine of this kind. */
  readonly prototype: number | null;
}

const { values: options } = parseArgs({
  options: { json: { type: 'boolean', default: false }, waiting: { type: 'string', default: '1000000' } },
});
const tasks = 20_000;
const rounds = 3;
const idleSamples = 200;
const rows: Row[] = [];

function add(row: string, keys: Row['keys'], unit: string, value: number, prototype: number | null): void {
  rows.push({ row, keys, unit, value: Math.round(value * 100) / 100, prototype });
  if (!options.json)
    console.log(
      `${row.padEnd(44)} ${keys.padEnd(8)} ${String(Math.round(value * 100) / 100).padStart(10)} ${unit.padEnd(8)} ${prototype === null ? '' : `prototype ${prototype}`}`,
    );
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function medianOf(measure: (round: number) => Promise<number>): Promise<number> {
  const values: number[] = [];
  for (let round = 0; round < rounds; round++) values.push(await measure(round));
  return median(values);
}

interface BenchWorker {
  readonly child: ChildProcess;
  /** Resolves when so many tasks in all were settled. */
  until(settled: number): Promise<void>;
  stop(): Promise<void>;
}

async function startWorker(server: RigServer, queue: string): Promise<BenchWorker> {
  const { ca, cert, key } = server.tls;
  const child = fork(new URL('./worker.ts', import.meta.url), [server.address, ca, cert, key, queue]);
  let done = 0;
  let wake = (): void => {};
  child.on('message', (message: { settled?: number }) => {
    if (message.settled === undefined) return;
    done = message.settled;
    wake();
  });
  return {
    child,
    until: (settled) =>
      new Promise((resolve) => {
        wake = () => done >= settled && resolve();
        wake();
      }),
    async stop() {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}

async function idle(transport: Transport, server: RigServer): Promise<void> {
  const worker = await startWorker(server, 'idle');
  await once(worker.child, 'message');
  const waits: number[] = [];
  for (let i = 0; i < idleSamples; i++) {
    await sleep(5);
    const began = once(worker.child, 'message') as Promise<[{ began?: number; atMs: number }]>;
    const sentMs = performance.timeOrigin + performance.now();
    await singly(transport, 'idle', 1, 1, 'ordered');
    const [message] = await began;
    waits.push(message.atMs - sentMs);
    await worker.until(i + 1);
  }
  await worker.stop();
  waits.sort((a, b) => a - b);
  add('idle submit→start p50', '', 'ms', median(waits), 0.91);
  add('idle submit→start p99', '', 'ms', waits[Math.floor(waits.length * 0.99)] ?? 0, 1.54);
}

async function throughput(transport: Transport, server: RigServer): Promise<void> {
  await singly(transport, 'warm', tasks, 64, 'ordered');
  const cpuMs = server.usage().cpuMs;
  for (const keys of ['ordered', 'random'] as const) {
    const seconds = await medianOf((round) => singly(transport, `single-${keys}-${round}`, tasks, 64, keys));
    add('submit singly, 64 callers', keys, '/s', tasks / seconds, keys === 'ordered' ? 52_000 : 22_500);
  }
  add(
    'server CPU a single submit',
    '',
    'µs',
    ((server.usage().cpuMs - cpuMs) * 1_000) / (tasks * rounds * 2),
    13.4,
  );
  for (const callers of [1, 4]) {
    const seconds = await medianOf((round) => bulk(transport, `bulk-${callers}-${round}`, tasks, callers));
    add(
      `submit in bulk, ${callers} caller${callers > 1 ? 's' : ''}`,
      'ordered',
      '/s',
      tasks / seconds,
      callers === 1 ? 67_000 : 99_000,
    );
  }
  const perProcess: number[] = [];
  const process = await medianOf(async (round) => {
    const queue = `process-${round}`;
    await bulk(transport, queue, tasks, 4);
    const beforeMs = server.usage().cpuMs;
    const beganMs = performance.now();
    const worker = await startWorker(server, queue);
    await once(worker.child, 'message');
    const readyMs = performance.now();
    await worker.until(tasks);
    const seconds = (performance.now() - Math.max(beganMs, readyMs)) / 1_000;
    perProcess.push(((server.usage().cpuMs - beforeMs) * 1_000) / tasks);
    await worker.stop();
    return seconds;
  });
  add('process a filled queue', '', '/s', tasks / process, 71_000);
  add('server CPU a processed task', '', 'µs', median(perProcess), 7.7);
  for (const how of ['singly', 'bulk'] as const) {
    const seconds = await medianOf(async (round) => {
      const queue = `both-${how}-${round}`;
      const worker = await startWorker(server, queue);
      await once(worker.child, 'message');
      const beganMs = performance.now();
      if (how === 'singly') await singly(transport, queue, tasks, 64, 'ordered');
      else await bulk(transport, queue, tasks, 4);
      await worker.until(tasks);
      const taken = (performance.now() - beganMs) / 1_000;
      await worker.stop();
      return taken;
    });
    add(`both, ${how}, 20,000 tasks`, 'ordered', 's', seconds, how === 'singly' ? 0.51 : 0.36);
  }
}

async function backlog(transport: Transport, server: RigServer, count: number): Promise<RigServer> {
  const seconds = await bulk(transport, 'backlog', count, 4);
  add(`filling ${count} waiting`, 'ordered', '/s', count / seconds, 85_000);
  add(`memory with ${count} waiting`, '', 'MB', server.usage().rssMb, 213);
  const again = await server.restart();
  add(`start after SIGKILL with ${count} waiting`, '', 's', again.startMs / 1_000, 0.17);
  add(`memory after that start`, '', 'MB', again.usage().rssMb, 213);
  return again;
}

let server = await startServer();
const connect = (): Transport =>
  grpcTransport({ address: server.address, tls: server.tls, clock: systemClock() });
const transport = connect();
await idle(transport, server);
await throughput(transport, server);
const waiting = Number(options.waiting);
if (waiting > 0) server = await backlog(transport, server, waiting);
await transport.close();
await server.stop();
if (options.json)
  console.log(JSON.stringify({ machine: `${cpus().length} × ${cpus()[0]?.model ?? ''}`, rows }));
process.exit(0);
