import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'vitest';
import { Demo } from '../../examples/demo/demo.ts';
import { payloads } from '../../examples/demo/payloads.ts';
import { startAwsDeployment } from '../fixtures/aws-deployment.ts';
import { type CommandProcess, startCommand } from '../fixtures/command-process.ts';

const count = 64;
const module = new URL('../../examples/demo/worker.ts', import.meta.url).pathname;

// Both test cases mostly wait for leases to expire, so they run concurrently.
test.concurrent.for([
  ['', false],
  [', with lagging indexes, stale reads, and late or lost responses', true],
] as const)(
  'the demo%s: one of two API nodes and one of three workers are killed, and no task is lost',
  { timeout: 200_000 },
  async ([, faults], { expect, onTestFinished }) => {
    const site = await startAwsDeployment({ queues: ['webhooks'], nodes: 2, faults });
    onTestFinished(() => site.stop(), 20_000);
    const sent = payloads().slice(0, count);
    const demo = await Demo.open({
      url: `holdfast://${site.address}`,
      tls: site.tls,
      limitMs: 150_000,
      sent,
    });
    onTestFinished(() => demo.close());
    const worker = async (name: string, env: Readonly<Record<string, string>>): Promise<CommandProcess> => {
      const started = await startCommand(['worker', module], { ...env, ...demo.workerEnv(name) });
      onTestFinished(async () => void (await started.end('SIGKILL')));
      return started;
    };
    // The worker that will be killed is the only worker until it holds deliveries, so it always has leases when it is
    // killed.
    demo.receiver.withholdAnswers('victim');
    const victim = await worker('victim', site.env);
    const strike = async (): Promise<void> => {
      await demo.untilBusy('victim', 30_000);
      await victim.end('SIGKILL');
    };
    await Promise.all([demo.submitAll(), strike()]);
    const workers = await Promise.all([worker('over gRPC', site.clientEnv), worker('on SQS', site.env)]);
    await Promise.all([demo.submitAll(), sleep(100).then(() => site.nodes[0]?.end('SIGKILL'))]);
    await demo.untilDone();
    const total = await demo.total();
    expect(total).toMatchObject({
      submitted: 2 * count,
      accepted: count,
      deduplicated: count,
      succeeded: count,
      dead: 0,
      outOfOrder: 0,
      lost: 0,
    });
    expect(total.leasesLost).toBeGreaterThan(0);
    // The workers that were not killed finish their running tasks and exit with status 0.
    expect(await Promise.all(workers.map((one) => one.end('SIGTERM')))).toEqual([0, 0]);
  },
);
