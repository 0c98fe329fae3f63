/** Tests lists of few tasks behind many finished ones on DynamoDB, by the command, the SDK and the HTTP API of a server. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { initAws } from '../../src/cli/aws/init.ts';
import { silent } from '../../src/client/log.ts';
import { openTable } from '../../src/engines/aws/index.ts';
import { type Client, connect } from '../../src/index.ts';
import { type RunningServer, serve } from '../../src/node/node.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { silentLog } from '../../src/ports/log.ts';
import type { Snapshot } from '../../src/ports/task-store.ts';
import { externalMemory } from '../../src/testing/external-broker.ts';
import { virtualClock } from '../../src/testing/virtual-clock.ts';
import { holdfast } from '../cli/command-server.ts';
import { StoreFixture } from '../contract/store-fixture.ts';
import { clientOf, type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { startFauxqs } from '../stand-ins/fauxqs.ts';
import type { SqsStandIn } from '../stand-ins/sqs-stand-in.ts';
import { engineClock } from './engine-on-table.ts';

const table = 'listing';
const work = { tenant: 'default', queue: 'work' };
const hourMs = 3_600_000;

let dynoxide: Dynoxide;
let sqs: SqsStandIn;
let serving: RunningServer;
let client: Client;

/** Accepts tasks, claims them and lets them succeed, 100 at a time. */
async function finishMany(fixture: StoreFixture, count: number): Promise<void> {
  const accepted = await fixture.acceptMany(count, () => work);
  for (let from = 0; from < count; from += 100) {
    const batch = accepted.slice(from, from + 100);
    const claims = batch.map((task) => fixture.transition(task, fixture.claimCommand()));
    const claimed = await fixture.store.append(claims);
    const running = batch.map((task, i): Snapshot => {
      const outcome = claimed[i];
      if (outcome?.kind !== 'done') throw new Error(`not claimed: ${outcome?.kind}`);
      return { ...task, head: outcome.head, tip: claims[i]?.events ?? [] };
    });
    const settled = await fixture.store.append(
      running.map((task) => {
        const expect = { fencingToken: task.head.fencingToken, version: task.head.version };
        return fixture.transition(task, fixture.settleCommand(task), { expect });
      }),
    );
    if (settled.some(({ kind }) => kind !== 'done')) throw new Error('not settled');
  }
}

beforeAll(async () => {
  process.env.AWS_ACCESS_KEY_ID = 'stand-in';
  process.env.AWS_SECRET_ACCESS_KEY = 'stand-in';
  [dynoxide, sqs] = await Promise.all([startDynoxide(), startFauxqs()]);
  const endpoints = { endpointDynamodb: dynoxide.endpoint, endpointSqs: sqs.endpoint };
  const store = { table, region: 'eu-central-1', ...endpoints };
  await initAws({ store, tenant: 'default', queues: ['work'], priorities: ['normal'], check: false });
  const clock = virtualClock({ startMs: Date.now() - 1_000 });
  const parts = openTable({ table, clock: engineClock(clock), client: clientOf(dynoxide.endpoint) });
  const engine = { ...parts, ...externalMemory({ clock }), store: parts.store, registry: parts.registry };
  const fixture = new StoreFixture({ engine, clock, reopen: async () => engine });
  const rare = { ...work, type: 'rare' };
  for (let i = 0; i < 3; i++) await fixture.claim(await fixture.accept(rare));
  await fixture.acceptMany(2, () => rare);
  await clock.advance(1);
  await finishMany(fixture, 1_500);
  await parts.close();
  const free = { host: '127.0.0.1', port: 0, plaintext: true } as const;
  serving = await serve({ store, clock: systemClock(), log: silentLog, grpc: free, http: free });
  client = connect(`holdfast://127.0.0.1:${serving.listening.grpcPort}`, { plaintext: true, log: silent });
}, 60_000);

afterAll(async () => {
  await client.close();
  await serving.close(0);
  await Promise.all([dynoxide.stop(), sqs.stop()]);
});

// biome-ignore lint/suspicious/noExplicitAny: the answer is JSON, and the test names the fields that it expects
async function post(method: string, request: object): Promise<any> {
  const url = `http://127.0.0.1:${serving.listening.httpPort}/holdfast.v1.${method}`;
  const headers = { 'content-type': 'application/json' };
  return (await fetch(url, { method: 'POST', headers, body: JSON.stringify(request) })).json();
}

test('holdfast list and client.list find the 3 running, the 2 ready and the 5 rare tasks behind 1,500 finished tasks', async () => {
  const url = ['--url', `holdfast+plaintext://127.0.0.1:${serving.listening.grpcPort}`];
  const filters = [
    [{ state: 'running' }, ['--state', 'running'], 3],
    [{ state: 'ready' }, ['--state', 'ready'], 2],
    [{ type: 'rare' }, ['--type', 'rare'], 5],
    [{ type: 'rare', state: 'dead' }, ['--type', 'rare', '--state', 'dead'], 0],
  ] as const;
  for (const [filter, argv, count] of filters) {
    const { tasks, nextPageToken, examined, isCut } = await client.list({ queue: 'work', ...filter });
    expect([tasks.length, nextPageToken, isCut]).toEqual([count, undefined, false]);
    expect(examined).toBe(count === 0 ? 0 : 1_505);
    const { json } = await holdfast('list', '--queue', 'work', '--json', ...url, ...argv);
    expect(json.tasks.map(({ id }: { id: string }) => id)).toEqual(tasks.map(({ id }) => id));
    expect(json).toMatchObject({ nextPageToken: '', examined, isCut: false });
  }
}, 30_000);

test('one HTTP call examines 1,000 of the tasks and says until which acceptance time, and its token leads to the others', async () => {
  const running = { queue: 'work', state: 'TASK_STATE_RUNNING' };
  const first = await post('TaskService/ListTasks', running);
  expect(first).toMatchObject({ examined: 1_000, nextPageToken: expect.stringMatching(/./) });
  expect(first.tasks).toBeUndefined();
  expect(Date.now() - Number(first.examinedUntilMs)).toBeLessThan(hourMs);
  const second = await post('TaskService/ListTasks', { ...running, pageToken: first.nextPageToken });
  expect([second.tasks.length, second.examined, second.nextPageToken]).toEqual([3, 505, undefined]);
  expect(Number(second.examinedUntilMs)).toBeLessThanOrEqual(Number(first.examinedUntilMs));
});

test('the counts of a queue with more than 1,000 tasks are said to be lower bounds', async () => {
  const { queue } = await post('AdminService/GetQueue', { name: 'work' });
  expect(queue.counts).toEqual({ atLeast: true });
});
