/**
 * The scenario of `npm run demo:aws`: the webhooks are submitted to API nodes on one table, three workers deliver them, one
 * over gRPC and two that poll SQS themselves, and a node and a worker are killed meanwhile.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AwsDeployment, StartProcess } from '../../test/fixtures/aws-deployment.ts';
import { Demo, type DemoTotals, report } from './demo.ts';

const workerKilledMs = 2_000;
const nodeKilledMs = 4_000;
const limitMs = 90_000;

export interface AwsDemoResult {
  readonly total: DemoTotals;
  /** The exit status of the demo: 0 if nothing was lost, doubled or out of order. */
  readonly status: number;
  /** The exit statuses of the workers that were stopped by SIGTERM. */
  readonly workerStatuses: readonly (number | null)[];
}

/** Runs the scenario and prints its table. `start` starts a worker with the module of this path. */
export async function runOnAws(
  site: AwsDeployment,
  module: string,
  start: StartProcess,
): Promise<AwsDemoResult> {
  const demo = await Demo.open({ url: `holdfast://${site.address}`, tls: site.tls, limitMs });
  const worker = (name: string, env: Readonly<Record<string, string>>) =>
    start(['worker', module], { ...env, ...demo.workerEnv(name) });
  const running = await Promise.all([
    worker('over gRPC', site.clientEnv),
    worker('on SQS', site.env),
    worker('on SQS, killed', site.env),
  ]);
  const [node] = site.nodes;
  const [, , victim] = running;

  const submittingMs = performance.now();
  const logStep = (text: string): void =>
    console.log(`${((performance.now() - submittingMs) / 1_000).toFixed(1).padStart(5)} s  ${text}`);
  const killNodeAndWorker = async (): Promise<void> => {
    await sleep(workerKilledMs);
    await demo.untilBusy('on SQS, killed');
    await victim?.end('SIGKILL');
    logStep('a worker that polls SQS was killed with SIGKILL');
    await sleep(nodeKilledMs - workerKilledMs);
    await node?.end('SIGKILL');
    logStep('an API node was killed with SIGKILL');
  };

  const killed = killNodeAndWorker();
  await demo.submitTwice();
  logStep(`${demo.sent.length} payloads were submitted twice`);
  await killed;
  await demo.untilDone();
  logStep('all tasks have ended, or the time limit is over');
  const total = await demo.total();
  const workerStatuses: (number | null)[] = [];
  for (const one of running) if (one.isRunning) workerStatuses.push(await one.end('SIGTERM'));
  await demo.close();
  return { total, status: report(total, demo.receiver), workerStatuses };
}
