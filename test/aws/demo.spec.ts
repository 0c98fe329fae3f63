import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Demo } from '../../examples/demo/demo.ts';
import { payloads } from '../../examples/demo/payloads.ts';
import { startAwsSite } from '../rig/aws-site.ts';
import { startCommand } from '../rig/command.ts';

const count = 64;
const module = new URL('../../examples/demo/worker.ts', import.meta.url).pathname;

// Both wait for leases to be spent, most of the time.
test.concurrent.each([
  ['', false],
  [', where indexes lag, reads are stale, and answers are late or lost', true],
])(
  'the demo%s: one API node of two and one worker of three are killed, and nothing is lost',
  async (_, faults) => {
    const site = await startAwsSite({ queues: ['webhooks'], nodes: 2, faults });
    const sent = payloads().slice(0, count);
    const demo = await Demo.open({ url: `holdfast://${site.address}`, tls: site.tls, limitMs: 90_000, sent });
    const worker = (env: Readonly<Record<string, string>>) =>
      startCommand(['worker', module], { ...env, ...demo.workerEnv });
    const workers = await Promise.all([worker(site.clientEnv), worker(site.env), worker(site.env)]);
    const strike = async (): Promise<void> => {
      await sleep(1_200);
      await workers[1]?.end('SIGKILL');
      await site.nodes[0]?.end('SIGKILL');
    };
    await Promise.all([demo.submitTwice(), strike()]);
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
    // The ones that were not killed go in order: they let what runs finish, and end with status 0.
    expect(await Promise.all(workers.map((one) => one.end('SIGTERM')))).toEqual([0, null, 0]);
    await demo.close();
    await site.stop();
  },
  120_000,
);
