/**
 * `npm run bench:cpu` measures the processor time that a server and a worker need for one task on AWS's stand-ins, and
 * writes it to `measured.json` beside this file. Processor time, unlike a rate, says the same on a busy machine. The server
 * speaks gRPC over mutual TLS with its clients, and HTTP without TLS with the stand-ins.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type TaskHandle } from '../../src/index.ts';
import { startAwsDeployment } from '../../test/fixtures/aws-deployment.ts';
import { startCommand } from '../../test/fixtures/command-process.ts';
import { programOptions } from '../../test/fixtures/program-options.ts';
import { payloadTask } from './worker.ts';

programOptions('bench:cpu', {});

const warmUpTasks = 1_500;
const measuredTasks = 5_000;
const callers = 64;
const limitMs = 120_000;
/** Linux counts processor time in hundredths of a second. */
const tickMs = 10;
const payload = { text: 'x'.repeat(1_000) };

function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}

const site = await startAwsDeployment({ queues: ['capacity'], nodes: 1 });
const worker = await startCommand(
  ['worker', new URL('./worker.ts', import.meta.url).pathname],
  site.clientEnv,
);
const client = connect(`holdfast://${site.address}`, { tls: site.tls });

/**
 * Submits tasks one a call, with some calls at a time, and waits for the results of the last ones. A caller that waits for a result costs
 * reads and processor time of its own, which most callers do not need.
 */
async function run(count: number): Promise<void> {
  const handles: TaskHandle<unknown>[] = [];
  let next = 0;
  const submitter = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) handles[i] = await client.submit(payloadTask, payload);
  };
  await Promise.all(Array.from({ length: callers }, submitter));
  await Promise.all(handles.slice(-callers).map((handle) => handle.result()));
}

const late = setTimeout(() => {
  console.error(`the tasks were not done within ${limitMs / 1_000} s`);
  process.exit(1);
}, limitMs);
await run(warmUpTasks);
await sleep(1_000);
const pids = [site.nodes[0]?.pid as number, worker.pid];
const before = pids.map(cpuMsOf);
await run(measuredTasks);
const [serverMs, workerMs] = pids.map((pid, i) => (cpuMsOf(pid) - (before[i] as number)) / measuredTasks);
clearTimeout(late);
await client.close();
await worker.end('SIGTERM');
await site.stop();

const measured = {
  serverCpuMsPerTask: Number(serverMs?.toFixed(3)),
  workerCpuMsPerTask: Number(workerMs?.toFixed(3)),
  payloadBytes: payload.text.length,
  tasks: measuredTasks,
  processor: cpus()[0]?.model ?? 'unknown',
};
writeFileSync(new URL('./measured.json', import.meta.url), `${JSON.stringify(measured, null, 2)}\n`);
console.log(JSON.stringify(measured));
process.exit(0);
