/**
 * `npm run demo:aws`: the demo on a DynamoDB table and SQS FIFO queues, here their stand-ins. Two API nodes and three
 * worker processes: one over gRPC, two that listen to SQS by themselves. One node and one worker are killed while the
 * webhooks are submitted. With `-- --faults` indexes lag, reads are stale, and answers are late or lost.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startAwsSite } from '../../test/fixtures/aws-site.ts';
import { startCommand } from '../../test/fixtures/command.ts';
import { programOptions } from '../../test/fixtures/program-options.ts';
import { Demo, report } from './demo.ts';

const workerKilledMs = 2_000;
const nodeKilledMs = 4_000;
const limitMs = 90_000;

const { faults } = programOptions('demo:aws', { faults: false });
const beganMs = performance.now();
const site = await startAwsSite({ queues: ['webhooks'], nodes: 2, faults });
const demo = await Demo.open({ url: `holdfast://${site.address}`, tls: site.tls, limitMs });
const module = new URL('./worker.ts', import.meta.url).pathname;
const worker = (name: string, env: Readonly<Record<string, string>>) =>
  startCommand(['worker', module], { ...env, ...demo.workerEnv(name) });
const running = await Promise.all([
  worker('over gRPC', site.clientEnv),
  worker('on SQS', site.env),
  worker('on SQS, killed', site.env),
]);
const [node] = site.nodes;
const [, , victim] = running;

const submittingMs = performance.now();
function tell(what: string): void {
  console.log(`${((performance.now() - submittingMs) / 1_000).toFixed(1).padStart(5)} s  ${what}`);
}

async function strike(): Promise<void> {
  await sleep(workerKilledMs);
  await demo.untilBusy('on SQS, killed');
  await victim?.end('SIGKILL');
  tell('a worker that listens to SQS was killed with SIGKILL');
  await sleep(nodeKilledMs - workerKilledMs);
  await node?.end('SIGKILL');
  tell('an API node was killed with SIGKILL');
}

console.log(
  `two API nodes and three workers on one table, up after ${Math.round(submittingMs - beganMs)} ms`,
);
const struck = strike();
await demo.submitTwice();
tell(`${demo.sent.length} payloads were submitted twice`);
await struck;
await demo.untilDone();
tell('all have ended, or time is over');
const total = await demo.total();
for (const worker of running) await worker.end('SIGTERM');
await demo.close();
await site.stop();
process.exit(report(total, demo.receiver));
