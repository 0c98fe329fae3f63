/** Tests how a server lists workers that poll SQS themselves and use the server's table. */
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
import {
  announcementOf,
  type WorkerAnnouncement,
  workersKind,
} from '../../src/service/admin/worker-announcement.ts';
import { createService } from '../../src/service/create-service.ts';
import type { WorkerView } from '../../src/service/service.ts';
import { greets, holdfast, name, project, type Started, start } from '../cli/command-server.ts';
import { movingClock } from '../fixtures/moving-clock.ts';
import { clientOf, type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { startFauxqs } from '../stand-ins/fauxqs.ts';
import type { SqsStandIn } from '../stand-ins/sqs-stand-in.ts';
import { openEngineOnTable } from './engine-on-table.ts';

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

/** Starts a server. Returns functions that call the server as its clients do. */
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

/** Starts another node on the table, with a clock that the test can move. */
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
  return { clock, registry, known: async () => (await service.workers('default', queue)).workers };
}

test('a server lists workers on SQS until they stop: they leave the list at once after SIGTERM, within 3 minutes after SIGKILL', {
  timeout: 40_000,
}, async () => {
  const { url, workers, counted } = await server();
  const [stopped, killed] = [worker(), worker()];
  await expect.poll(async () => (await workers()).length, { timeout: 20_000 }).toBe(2);
  const pids = [stopped, killed].map(({ child }) => child.pid);
  const listed = await workers();
  expect(listed.map((one) => Number(one.node.split('/')[1])).sort()).toEqual(pids.sort());
  expect(listed[0]).toMatchObject({
    queues: [queue],
    types: ['greet'],
    maxVersions: [1],
    inFlight: 0,
    reserved: 0,
  });
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

function view(i: number, more: Partial<WorkerView> = {}): WorkerView {
  return {
    tenant: 'default',
    name: `ip-10-0-12-117.eu-central-1.compute.internal/${i}`,
    id: crypto.randomUUID(),
    queues: ['mail', 'webhooks'],
    types: ['send-mail', 'deliver-webhook'],
    maxVersions: [1, 2],
    inFlight: 10,
    reserved: 0,
    connectedAtMs: Date.now(),
    node: '',
    unlistedCount: 0,
    polls: false,
    ...more,
  };
}

function announcementBy(workers: readonly WorkerView[]): WorkerAnnouncement {
  return announcementOf({ id: crypto.randomUUID(), node: view(0).name, writtenAtMs: Date.now() }, workers);
}

test('holdfast submit warns that a task type has no worker, except if a worker announcement without names lists the type or if an announcement is incomplete', {
  timeout: 40_000,
}, async () => {
  const { url } = await server();
  const { registry } = await later();
  const warning = async (type: string) =>
    (await holdfast('submit', type, name('Ada'), '--url', url, '--delay', '1h')).err;
  const ofType = (i: number, ...types: string[]) =>
    view(i, { queues: [queue], types, maxVersions: types.map(() => 1) });
  const hundred = Array.from({ length: 100 }, (_, i) => ofType(100 + i, 'often'));
  await registry.put(workersKind, 'crowd', announcementBy([...hundred, ofType(999, 'rare')]), 'absent');
  expect(await warning('rare')).toBe('');
  expect(await warning('print')).toMatch(/^No worker for 'print'/);
  const kinds = Array.from({ length: 30 }, (_, i) =>
    ofType(i, ...Array.from({ length: 256 }, (_, k) => `${i}-${k}`.padEnd(64, 'x'))),
  );
  const incomplete = announcementBy([...kinds, ofType(999, 'print')]);
  expect(incomplete.isComplete).toBe(false);
  await registry.put(workersKind, 'kinds', incomplete, 'absent');
  expect(await warning('print')).toBe('');
});

test('a worker announcement costs one write unit for a few workers and eight for 50 or 1,000, nine if all of these have reserved tasks, and one read unit for each 4 KB', async () => {
  const engine = await openEngineOnTable(dynoxide.endpoint);
  const { registry, meter } = engine.parts;
  const written = async (key: string, workers: number, reserved = 0): Promise<number> => {
    meter.reset();
    const all = Array.from({ length: workers }, (_, i) => view(i, { reserved }));
    await registry.put(workersKind, key, announcementBy(all), 'absent');
    return meter.of('registry').writeUnits;
  };
  expect(await written('one', 1)).toBe(1);
  expect(await written('few', 3)).toBe(1);
  expect(await written('named', 50)).toBe(8);
  expect(await written('many', 1_000)).toBe(8);
  expect(await written('busy', 1_000, 5)).toBe(9);
  meter.reset();
  expect(await registry.list(workersKind, '')).toHaveLength(5);
  expect(meter.of('registry')).toMatchObject({ readUnits: 7, calls: 1 });
  await engine.close();
});
