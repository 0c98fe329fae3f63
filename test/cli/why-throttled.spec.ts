/** Tests `holdfast why` on a task of AWS that no worker can claim, because the table throttles every write. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { initAws } from '../../src/cli/aws/init.ts';
import { serve } from '../../src/node/node.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { silentLog } from '../../src/ports/log.ts';
import { startDynoxide } from '../stand-ins/dynoxide.ts';
import { startFauxqs } from '../stand-ins/fauxqs.ts';
import { startDynamoProxy } from '../stand-ins/proxy/dynamo-proxy.ts';
import { holdfast } from './command-server.ts';

const free = { host: '127.0.0.1', port: 0, plaintext: true } as const;

test('holdfast why and holdfast trouble name the table that throttles the claims of a task, and why the missing worker and the pause before that', {
  timeout: 60_000,
}, async () => {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'stand-in', AWS_SECRET_ACCESS_KEY: 'stand-in' });
  const [dynoxide, sqs] = await Promise.all([startDynoxide(), startFauxqs()]);
  onTestFinished(async () => void (await Promise.all([dynoxide.stop(), sqs.stop()])));
  const table = await startDynamoProxy({ upstream: dynoxide.endpoint, seed: 1 });
  onTestFinished(() => table.close());
  const endpoints = { endpointDynamodb: table.url, endpointSqs: sqs.endpoint };
  const store = { table: 'throttled', region: 'eu-central-1', ...endpoints };
  await initAws({ store, tenant: 'default', queues: ['default'], priorities: undefined, check: false });
  const serving = await serve({ store, grpc: free, http: free, clock: systemClock(), log: silentLog });
  onTestFinished(async () => {
    await table.set({ limits: [] });
    await serving.close(0);
  });
  const { grpcPort, httpPort } = serving.listening;
  const command = (...argv: readonly string[]) =>
    holdfast(...argv, '--json', '--url', `holdfast+plaintext://127.0.0.1:${grpcPort}`);
  const poll = (): Promise<unknown> =>
    fetch(`http://127.0.0.1:${httpPort}/holdfast.v1.WorkerService/ClaimTasks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        ...{ workerName: 'w', workerId: '1', queues: ['default'], types: [{ type: 'note' }], waitMs: 1_000 },
      }),
    }).then((answer) => answer.json());

  await command('queues', 'pause', 'default');
  const { id } = (await command('submit', 'note', '"a"')).json;
  expect((await command('why', id)).json).toMatchObject({ verdict: 'QUEUE_PAUSED' });
  await command('queues', 'resume', 'default');
  expect((await command('why', id)).json).toMatchObject({ verdict: 'NO_WORKER' });
  await table.set({ limits: [{ writeUnitsPerS: 0 }] });
  const verdicts = new Set<string>();
  for (let i = 0; i < 20 && !verdicts.has('STORE_THROTTLED'); i++) {
    await Promise.all([poll(), sleep(500)]);
    const { json } = await command('why', id);
    verdicts.add(json.verdict);
    if (json.verdict === 'STORE_THROTTLED') expect(json.evidence).toEqual({ dependency: 'The table' });
  }
  expect([...verdicts].at(-1)).toBe('STORE_THROTTLED');
  expect([...verdicts].filter((code) => code !== 'STARTING')).toEqual(['STORE_THROTTLED']);
  const { code, json } = await command('trouble');
  expect([code, json.areReadsBilled, json.groups[0]]).toMatchObject([
    0,
    true,
    {
      verdict: 'STORE_THROTTLED',
      evidence: { dependency: 'The table' },
      sentence: expect.stringMatching(/^The table /),
    },
  ]);
});
