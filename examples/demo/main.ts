/**
 * `npm run demo`: the demo on one machine. Three worker processes over mutual TLS, one of which is killed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startCommand } from '../../test/rig/command.ts';
import { startServer } from '../../test/rig/server-process.ts';
import { Demo, report } from './demo.ts';

const workers = 3;
const killAfterMs = 700;
const limitMs = 55_000;

const server = await startServer();
const { address, tls } = server;
const demo = await Demo.open({ url: `holdfast://${address}`, tls, limitMs });
const module = new URL('./worker.ts', import.meta.url).pathname;
const env = {
  HOLDFAST_URL: `holdfast://${address}`,
  HOLDFAST_CA: tls.ca,
  HOLDFAST_CERT: tls.cert,
  HOLDFAST_KEY: tls.key,
  ...demo.workerEnv,
};

await demo.submitTwice();
console.log(
  `${demo.sent.length} payloads submitted twice; ${workers} workers start, one is killed with SIGKILL`,
);
const running = await Promise.all(
  Array.from({ length: workers }, () => startCommand(['worker', module], env)),
);
await sleep(killAfterMs);
await running[0]?.end('SIGKILL');
await demo.untilDone();
const total = await demo.total();
for (const worker of running) await worker.end('SIGTERM');
await demo.close();
await server.stop();
process.exit(report(total, demo.receiver));
