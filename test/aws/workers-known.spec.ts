/** Workers that listen to SQS by themselves, as a server on the same table tells of them. */
import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { initAws } from '../../src/cli/aws/init.ts';
import { grpcTransport } from '../../src/client/grpc/transport.ts';
import { aws } from '../../src/engines/aws/index.ts';
import { serve } from '../../src/node/node.ts';
import type { AwsStore } from '../../src/node/open/aws.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { silentLog } from '../../src/ports/log.ts';
import {
  AdminService,
  GetQueueRequestSchema,
  ListWorkersRequestSchema,
  type Worker,
} from '../../src/rpc/gen/holdfast/v1/admin_service_pb.ts';
import { lineOf, workersKind } from '../../src/service/admin/worker-announcement.ts';
import { createService } from '../../src/service/create-service.ts';
import type { WorkerView } from '../../src/service/service.ts';
import { greets, holdfast, name, project, type Started, start } from '../cli/command-server.ts';
import { movingClock } from '../fixtures/moving-clock.ts';
import { clientOf, type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { startFauxqs } from '../stand-ins/fauxqs.ts';
import type { SqsStandIn } from '../stand-ins/sqs-stand-in.ts';
import { siteOn } from './engine-on-table.ts';

const queue = 'default';
const minuteMs = 60_000;
const credentials = { AWS_ACCESS_KEY_ID: 'stand-in', AWS_SECRET_ACCESS_KEY: 'stand-in' };
let dynoxide: Dynoxide;
let sqs: SqsStandIn;
let store: AwsStore;
beforeAll(async () => {
  Object.assign(process.env, credentials);
  [dynoxide, sqs] = await Promise.all([startDynoxide(), startFauxqs()]);
  const endpoints = { endpointDynamodb: dynoxide.endpoint, endpointSqs: sqs.endpoint };
  store = { table: 'known', region: 'eu-central-1', ...endpoints };
  await initAws({ store, tenant: 'default', queues: [queue], priorities: undefined, check: false });
});
afterAll(async () => {
  await Promise.all([dynoxide.stop(), sqs.stop()]);
});

/** A server, as its callers see it. */
async function server() {
  const clock = systemClock();
  const serving = await serve({
    store,
    node: 'server',
    clock,
    log: silentLog,
    grpc: { host: '127.0.0.1', port: 0, plaintext: true },
  });
  const address = `127.0.0.1:${serving.listening.grpcPort}`;
  const transport = grpcTransport({ address, tls: undefined, plaintext: true, clock });
  onTestFinished(async () => {
    await transport.close();
    await serving.close(0);
  });
  return {
    url: `holdfast+plaintext://${address}`,
    async workers(): Promise<Worker[]> {
      const request = create(ListWorkersRequestSchema, { queue });
      return (await transport.call(AdminService.method.listWorkers, request, {})).workers;
    },
    async counted(): Promise<number | undefined> {
      const request = create(GetQueueRequestSchema, { name: queue });
      return (await transport.call(AdminService.method.getQueue, request, {})).queue?.workers;
    },
  };
}

function worker(): Started {
  const env = { ...credentials, HOLDFAST_ENGINE: 'aws', HOLDFAST_AWS_TABLE: store.table };
  const at = {
    HOLDFAST_AWS_REGION: store.region,
    HOLDFAST_AWS_ENDPOINT_DYNAMODB: dynoxide.endpoint,
    HOLDFAST_AWS_ENDPOINT_SQS: sqs.endpoint,
  };
  return start(['worker', 'worker.ts'], { cwd: project(greets), env: { ...env, ...at } });
}

/** Another node on the table, whose clock can be moved on. */
async function later() {
  const clock = movingClock();
  const sqsConfig = { ...clientOf(sqs.endpoint), useQueueUrlAsEndpoint: false };
  const engine = aws({ table: store.table, clock, dynamodb: clientOf(dynoxide.endpoint), sqs: sqsConfig });
  const { store: tasks, broker, registry } = engine;
  const options = {
    store: tasks,
    broker,
    registry,
    node: 'later',
    clock,
    log: silentLog,
    createQueues: true,
  };
  const { service } = await createService(options);
  onTestFinished(() => engine.close());
  return { clock, known: async () => (await service.workers('default', queue)).workers };
}

test('are listed with their node until they stop: at once after SIGTERM, within 3 minutes after SIGKILL', {
  timeout: 40_000,
}, async () => {
  const { url, workers, counted } = await server();
  const [stopped, killed] = [worker(), worker()];
  await expect.poll(async () => (await workers()).length, { timeout: 20_000 }).toBe(2);
  const pids = [stopped, killed].map(({ child }) => child.pid);
  const told = await workers();
  expect(told.map((one) => Number(one.node.split('/')[1])).sort()).toEqual(pids.sort());
  expect(told[0]).toMatchObject({ queues: [queue], types: ['greet'], maxVersions: [1], inFlight: 0 });
  expect(await counted()).toBe(2);
  const submit = (type: string, ...more: string[]) =>
    holdfast('submit', type, name('Ada'), '--url', url, '--delay', '1h', ...more);
  expect(await submit('greet')).toMatchObject({ code: 0, err: '' });
  expect((await submit('print')).err).toMatch(/^No worker for 'print' of queue 'default' is known \(/);
  expect((await submit('greet', '--type-version', '2')).err).toMatch(
    /^No worker for 'greet', type version 2, of queue 'default' is known \(/,
  );

  stopped.signal('SIGTERM');
  expect(await stopped.exit).toBe(0);
  expect(await workers()).toMatchObject([{ node: expect.stringMatching(`/${killed.child.pid}$`) }]);

  killed.signal('SIGKILL');
  await killed.exit;
  const { clock, known } = await later();
  clock.move(2 * minuteMs);
  expect(await known()).toHaveLength(1);
  clock.move(minuteMs);
  expect(await known()).toEqual([]);
});

test('a line costs one write unit with a few workers and nine when it is full, and a read unit for each 4 KB of lines', async () => {
  const site = await siteOn(dynoxide.endpoint);
  const { registry, meter } = site.parts;
  const view = (i: number): WorkerView => ({
    tenant: 'default',
    name: `ip-10-0-12-117.eu-central-1.compute.internal/${i}`,
    id: crypto.randomUUID(),
    queues: ['mail', 'webhooks'],
    types: ['send-mail', 'deliver-webhook'],
    maxVersions: [1, 2],
    inFlight: 10,
    connectedAtMs: site.clock.now(),
    node: '',
    othersAlike: 0,
  });
  const who = { id: crypto.randomUUID(), node: view(0).name, writtenAtMs: site.clock.now() };
  const written = async (key: string, workers: number): Promise<number> => {
    meter.reset();
    const line = lineOf(
      who,
      Array.from({ length: workers }, (_, i) => view(i)),
    );
    await registry.put(workersKind, key, line, 'absent');
    return meter.of('registry').writeUnits;
  };
  expect(await written('one', 1)).toBe(1);
  expect(await written('few', 3)).toBe(1);
  expect(await written('full', 1_000)).toBe(9);
  meter.reset();
  expect(await registry.list(workersKind, '')).toHaveLength(3);
  expect(meter.of('registry')).toMatchObject({ readUnits: 3, calls: 1 });
  await site.close();
});
