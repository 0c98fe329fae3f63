/** `npm run demo` runs the demo with one server and three worker processes over mutual TLS, one of which is killed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { startCommand } from '../../test/fixtures/command-process.ts';
import { programOptions } from '../../test/fixtures/program-options.ts';
import { startServerProcess } from '../../test/fixtures/server-process.ts';
import { Demo, report } from './demo.ts';

const names = ['one', 'two', 'three'];
const killAfterMs = 700;
const limitMs = 55_000;

programOptions('demo', {});
const server = await startServerProcess();
const { address, tls } = server;
const demo = await Demo.open({ url: `holdfast://${address}`, tls, limitMs });
const module = new URL('./worker.ts', import.meta.url).pathname;
const env = {
  HOLDFAST_URL: `holdfast://${address}`,
  HOLDFAST_CA: tls.ca,
  HOLDFAST_CERT: tls.cert,
  HOLDFAST_KEY: tls.key,
};

await demo.submitTwice();
console.log(
  `${demo.sent.length} payloads submitted twice; ${names.length} workers start, one is killed with SIGKILL`,
);
const running = await Promise.all(
  names.map((name) => startCommand(['worker', module], { ...env, ...demo.workerEnv(name) })),
);
await sleep(killAfterMs);
await demo.untilBusy('one');
await running[0]?.end('SIGKILL');
await demo.untilDone();
const total = await demo.total();
for (const worker of running) await worker.end('SIGTERM');
await demo.close();
await server.stop();
process.exit(report(total, demo.receiver));
