/**
 * One measurement of `npm run bench:telemetry`: a program with the SDK submits tasks to a server, and a worker with the SDK runs
 * them, each in a process of its own over mutual TLS. The environment decides whether they export telemetry. Prints an object
 * of rates in tasks a second. The other commit of a comparison runs this file too, so it uses only what both commits have.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from '../../src/index.ts';
import { startServerProcess } from '../../test/fixtures/server-process.ts';
import { noop, queueOf } from './contract.ts';
import { startSdk } from './start-sdk.ts';

const tasks = 20_000;
const callers = 64;
const rounds = ['warm-up', 'measured'];

async function submitAll(client: ReturnType<typeof connect>, queue: string): Promise<number> {
  let left = tasks;
  const startedMs = performance.now();
  const caller = async (): Promise<void> => {
    while (left-- > 0) await client.submit(noop, { text: 'x'.repeat(188) }, { queue });
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return tasks / ((performance.now() - startedMs) / 1_000);
}

const stopSdk = await startSdk('program');
const server = await startServerProcess();
const url = `holdfast://${server.address}`;
const client = connect(url, { tls: server.tls });

async function processAll(queue: string): Promise<number> {
  const { ca, cert, key } = server.tls;
  const worker = fork(new URL('./worker.ts', import.meta.url), [url, ca, cert, key, queue, String(tasks)]);
  const [{ rate }] = (await once(worker, 'message')) as [{ rate: number }];
  await once(worker, 'exit');
  return rate;
}

const rates = { submit: 0, process: 0 };
for (const round of rounds) {
  const queue = queueOf(round);
  rates.submit = await submitAll(client, queue);
  rates.process = await processAll(queue);
}
await client.close();
await server.stop();
await stopSdk();
console.log(JSON.stringify(rates));
process.exit(0);
