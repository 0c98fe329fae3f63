/** Shows that every metric of the catalogue has a value in real runs, and that nothing else is shown. */
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { initAws } from '../../src/cli/aws/init.ts';
import { decodeLease, encodeLease } from '../../src/core/codec/lease.ts';
import { connect, defineTask, typed } from '../../src/index.ts';
import { startMetrics } from '../../src/node/metrics/start-metrics.ts';
import { serve, startNode } from '../../src/node/node.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { silentLog } from '../../src/ports/log.ts';
import { catalogue } from '../../src/telemetry/metrics/catalogue/catalogue.ts';
import { prometheusName } from '../../src/telemetry/metrics/exposition.ts';
import { NodeCounters } from '../../src/telemetry/metrics/node-counters.ts';
import { Registry } from '../../src/telemetry/metrics/registry.ts';
import { externalMemory } from '../../src/testing/external-broker.ts';
import { virtualClock } from '../../src/testing/virtual-clock.ts';
import { project, start, within } from '../cli/command-server.ts';
import { type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { startFauxqs } from '../stand-ins/fauxqs.ts';
import type { SqsStandIn } from '../stand-ins/sqs-stand-in.ts';
import { countedNode, task } from './counted-node.ts';
import { promtool } from './promtool.ts';

let dynoxide: Dynoxide;
let sqs: SqsStandIn;
beforeAll(async () => {
  process.env.AWS_ACCESS_KEY_ID = 'stand-in';
  process.env.AWS_SECRET_ACCESS_KEY = 'stand-in';
  [dynoxide, sqs] = await Promise.all([startDynoxide(), startFauxqs()]);
});
afterAll(async () => {
  await Promise.all([dynoxide.stop(), sqs.stop()]);
});

const shownNames = new Map(
  Object.entries(catalogue).map(([name, definition]) => [prometheusName(name, definition), name]),
);

/** The names of the metrics that a text of Prometheus has values of. */
function namesIn(text: string): string[] {
  const typed = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name = '']) => name);
  return typed.map((name) => shownNames.get(name) ?? `not in the catalogue: ${name}`);
}

async function scrape(port: unknown): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
}

/** A node on SQLite and virtual time: attempts that end in each way, late heartbeats, a store that fails once. */
async function onSqlite(): Promise<string[]> {
  const counted = await countedNode();
  await counted.submit([task('a'), task('b')]);
  counted.failNextAppend();
  await expect(counted.claim()).rejects.toThrow();
  await counted.clock.advance(40_000);
  const [claimed] = await counted.claim();
  if (claimed === undefined) throw new Error('nothing was claimed');
  const beat = async () => {
    const heartbeat = { lease: claimed.lease, progress: undefined, begun: true };
    await counted.node.service.heartbeat([heartbeat], { tenant: 'default' });
  };
  await beat();
  await counted.clock.advance(15_000);
  await beat();
  await counted.settle(
    { ...claimed, lease: encodeLease({ ...decodeLease(claimed.lease), secret: 'x' }) },
    'failed',
  );
  await counted.settle(claimed, 'succeeded');
  const late = counted.node.service.submit({ tenant: 'default', queue: 'mail' }, [task('c')], {
    notAfterMs: -1,
  });
  await expect(late).rejects.toThrow();
  await counted.clock.advance(15_000);
  const names = (await counted.collect()).map(({ name }) => name);
  await counted.close();
  return names;
}

/** A node whose broker is external, and whose tasks nobody takes: the reconciler sends their messages again. */
async function reconciled(): Promise<string[]> {
  const clock = virtualClock();
  const registry = new Registry({ clock, log: silentLog });
  const engine = externalMemory({ clock });
  const metrics = new NodeCounters(registry);
  const node = await startNode({ engine, clock, log: silentLog, metrics });
  await node.service.submit({ tenant: 'default', queue: 'mail' }, [task('a')], { notAfterMs: undefined });
  await clock.advance(13 * 60_000);
  const names = (await registry.collect()).map(({ name }) => name);
  const closed = node.close();
  await clock.advance(2_000);
  await closed;
  return names;
}

const certificates = (name: string): string[] => [
  ...['--ca', 'c/ca.crt', '--cert', `c/${name}.crt`],
  ...['--key', `c/${name}.key`],
];

const worker = `
import { defineTask, defineWorker, handle, typed } from 'holdfast';
const note = defineTask('note', { input: typed<{ child: boolean }>(), output: typed<number>() });
export default defineWorker({ handlers: [handle(note, async ({ child }, context) => {
  if (child) await context.submit(note, { child: false });
  return 1;
})] });
`;

/** A server, a worker and a canary as commands over mutual TLS, each with a listener of metrics. Returns what each shows. */
async function asCommands(): Promise<Readonly<Record<'server' | 'worker' | 'canary', string>>> {
  const cwd = project({ 'worker.ts': worker });
  await within(cwd, 'certs', 'init', '--dir', 'c');
  await within(cwd, 'certs', 'issue', 'server', '--kind', 'server', '--dir', 'c');
  await within(cwd, 'certs', 'issue', 'ada', '--dir', 'c');
  const ports = ['--port', '0', '--http-port', '0', '--metrics-port', '0'];
  const server = start(['serve', '--json', '--store', 'file:q.db', ...ports, ...certificates('server')], {
    cwd,
  });
  await server.until(/"grpcPort".*\n/);
  const serving = JSON.parse(server.out) as { grpcPort: number; metricsPort: number };
  const at = (name: string): string => join(cwd, 'c', name);
  const url = `holdfast://127.0.0.1:${serving.grpcPort}`;
  const env = {
    HOLDFAST_URL: url,
    HOLDFAST_CA: at('ca.crt'),
    HOLDFAST_CERT: at('ada.crt'),
    HOLDFAST_KEY: at('ada.key'),
  };
  const working = start(['worker', 'worker.ts', '--json'], {
    cwd,
    env: { ...env, HOLDFAST_METRICS_PORT: '0' },
  });
  await working.until(/\n/);
  const { metricsPort } = JSON.parse(working.out) as { metricsPort: number };
  const canary = start(['canary', '--json'], { cwd, env: { ...env, HOLDFAST_METRICS_PORT: '0' } });
  await canary.until(/\n/);
  const probing = JSON.parse(canary.out) as { metricsPort: number };
  const tls = { ca: at('ca.crt'), cert: at('ada.crt'), key: at('ada.key') };
  const client = connect(url, { tls });
  onTestFinished(() => client.close());
  const note = defineTask('note', { input: typed<{ child: boolean }>(), output: typed<number>() });
  const submitted = await client.submit(note, { child: true });
  expect(await submitted.result()).toBe(1);
  await wait(300);
  return {
    server: await scrape(serving.metricsPort),
    worker: await scrape(metricsPort),
    canary: await scrape(probing.metricsPort),
  };
}

/** A server on the stand-ins of AWS that submits, claims and settles a task. */
async function onAws(): Promise<string> {
  const endpoints = { endpointDynamodb: dynoxide.endpoint, endpointSqs: sqs.endpoint };
  const store = { table: 'metrics', region: 'eu-central-1', ...endpoints };
  await initAws({ store, tenant: 'default', queues: ['mail'], priorities: ['normal'], check: false });
  const clock = systemClock();
  const metrics = await startMetrics({ clock, log: silentLog, listen: { host: '127.0.0.1', port: 0 } });
  const grpc = { host: '127.0.0.1', port: 0, plaintext: true } as const;
  const { node, ...server } = await serve({ store, clock, log: silentLog, grpc, metrics });
  onTestFinished(async () => {
    await server.close(0);
    await metrics.stop(0);
  });
  await node.service.submit({ tenant: 'default', queue: 'mail' }, [task('a')], { notAfterMs: undefined });
  const [claimed] = await node.service.claim({
    ...{ tenant: 'default', queues: ['mail'], types: [{ type: 'note', maxVersion: 1 }], waitMs: 5_000 },
    ...{ workerName: 'w', workerId: '1', requestId: '', maxTasks: 1 },
    signal: new AbortController().signal,
  });
  if (claimed === undefined) throw new Error('nothing was claimed');
  const { lease } = claimed;
  const done = {
    outcome: 'succeeded',
    result: undefined,
    message: '',
    errorType: '',
    afterMs: undefined,
  } as const;
  await node.service.settle([{ lease, ...done, begun: true }], { tenant: 'default', sessionId: undefined });
  return scrape(metrics.port);
}

it('every metric of the catalogue has a value in real runs of servers, workers and a canary, and no other metric is shown', async () => {
  const [counted, again, commands, aws] = [
    await onSqlite(),
    await reconciled(),
    await asCommands(),
    await onAws(),
  ];
  const onServers = new Set([...counted, ...again, ...namesIn(commands.server), ...namesIn(aws)]);
  const onWorkers = new Set([...namesIn(commands.worker), ...namesIn(aws)]);
  const of = (place: 'server' | 'worker' | 'canary') =>
    Object.entries(catalogue).flatMap(([name, { on }]) =>
      (on as readonly string[]).includes(place) ? [name] : [],
    );
  expect([...onServers].toSorted()).toEqual(of('server').toSorted());
  expect(of('worker').filter((name) => !onWorkers.has(name))).toEqual([]);
  expect(namesIn(commands.worker).filter((name) => !of('worker').includes(name))).toEqual([]);
  expect(namesIn(commands.canary).toSorted()).toEqual(of('canary').toSorted());
  for (const text of [commands.server, commands.worker, commands.canary, aws]) {
    expect(text).not.toMatch(/="_other"/);
    expect(promtool.isInstalled ? promtool.check(text) : '').toBe('');
  }
  // Every request of a task's life asks for the consumed capacity: the submission, the claim and the end are writes.
  expect(Number(/consumed_total\{kind="write"\} (\S+)/.exec(aws)?.[1])).toBeGreaterThanOrEqual(3);
  expect(Number(/consumed_total\{kind="sqs"\} (\S+)/.exec(aws)?.[1])).toBeGreaterThanOrEqual(2);
}, 120_000);
