/**
 * `npm run demo:aws` runs the demo on local stand-ins for DynamoDB and SQS FIFO, with two API nodes and three worker
 * processes: one connects over gRPC, two poll SQS themselves. One node and one worker are killed while the webhooks are
 * submitted. With `-- --faults` indexes lag, reads are stale, and answers are late or lost.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startAwsDeployment } from '../../test/fixtures/aws-deployment.ts';
import { startCommand } from '../../test/fixtures/command-process.ts';
import { programOptions } from '../../test/fixtures/program-options.ts';
import { Demo, report } from './demo.ts';

const workerKilledMs = 2_000;
const nodeKilledMs = 4_000;
const limitMs = 90_000;

const { faults } = programOptions('demo:aws', { faults: false });
const beganMs = performance.now();
const site = await startAwsDeployment({ queues: ['webhooks'], nodes: 2, faults });
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
function logStep(text: string): void {
  console.log(`${((performance.now() - submittingMs) / 1_000).toFixed(1).padStart(5)} s  ${text}`);
}

async function killNodeAndWorker(): Promise<void> {
  await sleep(workerKilledMs);
  await demo.untilBusy('on SQS, killed');
  await victim?.end('SIGKILL');
  logStep('a worker that polls SQS was killed with SIGKILL');
  await sleep(nodeKilledMs - workerKilledMs);
  await node?.end('SIGKILL');
  logStep('an API node was killed with SIGKILL');
}

console.log(
  `two API nodes and three workers on one table, up after ${Math.round(submittingMs - beganMs)} ms`,
);
const killed = killNodeAndWorker();
await demo.submitTwice();
logStep(`${demo.sent.length} payloads were submitted twice`);
await killed;
await demo.untilDone();
logStep('all tasks have ended, or the time limit is over');
const total = await demo.total();
for (const worker of running) await worker.end('SIGTERM');
await demo.close();
await site.stop();
process.exit(report(total, demo.receiver));
