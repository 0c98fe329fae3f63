/** Runs tasks through a client, a server and a worker that export their spans to a collector in this process. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initAws } from '../../../src/cli/aws/init.ts';
import type { ReceivedMetrics } from '../../fixtures/otlp-metrics.ts';
import { otlpReceiver, type ReceivedSpan } from '../../fixtures/otlp-receiver.ts';
import { startDynoxide } from '../../stand-ins/dynoxide.ts';
import { startFauxqs } from '../../stand-ins/fauxqs.ts';
import { pythonClient } from '../python/client.ts';
import { pythonQueue, queue, renderInPython } from './contract.ts';
import { type EndableProcess, type Line, runProgram, startPython, startVerb } from './processes.ts';

export type EngineName = 'sqlite' | 'aws';
/** The worker that runs the tasks: `holdfast worker`, or a program in Python that shares no code with the SDK. */
export type WorkerName = 'sdk' | 'python';

export interface TelemetryOfTasks {
  readonly ids: readonly string[];
  readonly spans: readonly ReceivedSpan[];
  /** The lines of the server's and the worker's log. */
  readonly lines: readonly Line[];
  /** The metrics of the server and of a worker of the SDK, an entry for each request. */
  readonly metrics: readonly ReceivedMetrics[];
}

/** A store for a server: the flags and the environment with which `holdfast serve` finds it. */
export interface Store {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

export function onSqlite(): Store {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-telemetry-'));
  return {
    args: ['--store', `file:${join(dir, 'queue.db')}`],
    env: {},
    close: async () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** Opens a table and queues on the stand-ins of AWS, which accept any credentials. */
export async function onAws(queues: readonly string[]): Promise<Store> {
  const [table, broker] = await Promise.all([startDynoxide(), startFauxqs()]);
  const credentials = { AWS_ACCESS_KEY_ID: 'stand-in', AWS_SECRET_ACCESS_KEY: 'stand-in' };
  Object.assign(process.env, credentials);
  const endpoints = { endpointDynamodb: table.endpoint, endpointSqs: broker.endpoint };
  const store = { table: 'telemetry', region: 'eu-central-1', ...endpoints };
  await initAws({ store, tenant: 'default', queues, priorities: undefined, check: false });
  return {
    args: [],
    env: {
      ...credentials,
      HOLDFAST_ENGINE: 'aws',
      HOLDFAST_AWS_TABLE: store.table,
      HOLDFAST_AWS_REGION: store.region,
      HOLDFAST_AWS_ENDPOINT_DYNAMODB: table.endpoint,
      HOLDFAST_AWS_ENDPOINT_SQS: broker.endpoint,
    },
    close: async () => void (await Promise.all([table.stop(), broker.stop()])),
  };
}

const module = new URL('./worker-module.ts', import.meta.url).pathname;
const client = new URL('./client-process.ts', import.meta.url).pathname;

const openTelemetry = '1.45.0';
/** The packages that a worker in Python needs to export its spans. */
export const pythonPackages = {
  name: `-otel-${openTelemetry}`,
  packages: ['opentelemetry-sdk', 'opentelemetry-exporter-otlp-proto-http'].map(
    (one) => `${one}==${openTelemetry}`,
  ),
};

interface StartedWorker extends EndableProcess {
  lines(): readonly Line[];
}

async function startWorker(
  worker: WorkerName,
  port: unknown,
  env: Readonly<Record<string, string>>,
): Promise<StartedWorker> {
  if (worker === 'sdk') return startVerb(['worker', module], env);
  const { python, environment } = pythonClient(pythonPackages);
  const own = { ADDRESS: `127.0.0.1:${port}`, QUEUE: pythonQueue, TYPE: renderInPython.name };
  return { ...startPython(python, { ...environment, ...env, ...own }), lines: () => [] };
}

export async function runTasks(
  engine: EngineName,
  workerName: WorkerName,
  count: number,
): Promise<TelemetryOfTasks> {
  await using receiver = await otlpReceiver();
  const store = engine === 'aws' ? await onAws([queue, pythonQueue]) : onSqlite();
  const exporting = {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
    OTEL_METRIC_EXPORT_INTERVAL: '1000',
    HOLDFAST_LOG: 'info',
  };
  const running: EndableProcess[] = [];
  try {
    const serve = ['serve', ...store.args, '--port', '0', '--http-port', '0', '--plaintext'];
    const server = await startVerb(serve, { ...store.env, ...exporting });
    running.push(server);
    const url = `holdfast+plaintext://127.0.0.1:${server.startReport.grpcPort}`;
    const own = { ...exporting, HOLDFAST_URL: url };
    const worker = await startWorker(workerName, server.startReport.grpcPort, own);
    running.push(worker);
    const ids = JSON.parse(await runProgram([client, String(count), workerName], own)) as string[];
    // A process sends its last spans when it ends.
    await worker.end();
    await server.end();
    const { spans, metrics } = receiver;
    return { ids, spans: [...spans], lines: [...server.lines(), ...worker.lines()], metrics: [...metrics] };
  } finally {
    await Promise.all(running.map((one) => one.end()));
    await store.close();
  }
}
