import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'vitest';
import { Demo } from '../../examples/demo/demo.ts';
import { payloads } from '../../examples/demo/payloads.ts';
import { startAwsSite } from '../fixtures/aws-site.ts';
import { type CommandProcess, startCommand } from '../fixtures/command.ts';

const count = 64;
const module = new URL('../../examples/demo/worker.ts', import.meta.url).pathname;

// Both wait for leases to be spent, most of the time.
test.concurrent.for([
  ['', false],
  [', where indexes lag, reads are stale, and answers are late or lost', true],
] as const)(
  'the demo%s: one API node of two and one worker of three are killed, and nothing is lost',
  { timeout: 200_000 },
  async ([, faults], { expect, onTestFinished }) => {
    const site = await startAwsSite({ queues: ['webhooks'], nodes: 2, faults });
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
    // It is alone until it has deliveries in its hands, so that it dies with leases whatever the machine does beside.
    demo.receiver.hold('victim');
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
    // Those that were not killed let what runs finish, and end with status 0.
    expect(await Promise.all(workers.map((one) => one.end('SIGTERM')))).toEqual([0, 0]);
  },
);
