/** A server on one engine with a worker of the SDK and one in Python, each a process that exports to the back ends. */
import { canaryQueue } from '../../../src/core/objectives/objectives.ts';
import { pythonClient } from '../python/client.ts';
import {
  type EndableProcess,
  type RunningProcess,
  runProgram,
  startPython,
  startVerb,
} from '../telemetry/processes.ts';
import { type EngineName, onAws, onSqlite, pythonPackages } from '../telemetry/run.ts';
import { pythonQueue, queue, type Submitted, sendInPython, unservedQueue } from './contract.ts';
import type { ScrapeTarget, Stack } from './stack.ts';

export type Environment = Readonly<Record<string, string>>;

export interface Deployment {
  readonly engine: EngineName;
  /** The environment with which the command and a client find the server and the back ends. */
  readonly env: Environment;
  /** The ports at which its processes show their metrics. */
  readonly ports: MetricsPorts;
  /** Runs the client, whose input the letter is. */
  submit(letter: number): Promise<Submitted>;
  /** Runs a command line to its end, and returns its output. `env` is added to the deployment's environment. */
  command(argv: readonly string[], env?: Environment): Promise<string>;
  stopServer(): Promise<void>;
  end(): Promise<void>;
}

export type MetricsPorts = Readonly<Record<'server' | 'worker' | 'canary', number>>;

export function targetsOf(ports: MetricsPorts): readonly ScrapeTarget[] {
  return Object.entries(ports).map(([name, port]) => ({ job: `holdfast-${name}`, port }));
}

const main = new URL('../../../src/cli/main.ts', import.meta.url).pathname;
const module = new URL('./worker-module.ts', import.meta.url).pathname;
const client = new URL('./client-process.ts', import.meta.url).pathname;

export async function startDeployment(
  engine: EngineName,
  stack: Stack,
  ports: MetricsPorts,
): Promise<Deployment> {
  const store = engine === 'aws' ? await onAws([queue, pythonQueue, unservedQueue, canaryQueue]) : onSqlite();
  const exporting = {
    OTEL_EXPORTER_OTLP_ENDPOINT: stack.otlpUrl,
    // Prometheus reads the processes themselves: exported as well, each of their series would be there twice.
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_BSP_SCHEDULE_DELAY: '200',
    OTEL_LOGS_EXPORTER: 'otlp',
    OTEL_BLRP_SCHEDULE_DELAY: '200',
    OTEL_RESOURCE_ATTRIBUTES: `deployment.environment.name=${engine}`,
    HOLDFAST_LOG: 'info',
    HOLDFAST_TRACES_URL: `jaeger+${stack.tracesUrl}`,
    HOLDFAST_LOGS_URL: `victorialogs+${stack.logsUrl}`,
    HOLDFAST_PROMETHEUS_URL: stack.prometheusUrl,
  };
  const running: EndableProcess[] = [];
  const end = async (): Promise<void> => {
    // All that they export has been found: a worker whose server is stopped would wait for it.
    await Promise.all(running.map((one) => one.end('SIGKILL')));
    await store.close();
  };
  const verb = async (port: number, args: readonly string[], env: Environment): Promise<RunningProcess> => {
    const started = await startVerb([...args, '--metrics-port', String(port)], env);
    running.push(started);
    return started;
  };
  try {
    const serving = ['serve', ...store.args, '--port', '0', '--http-port', '0', '--plaintext'];
    const server = await verb(ports.server, serving, { ...store.env, ...exporting });
    const { grpcPort } = server.startReport;
    const env = { ...exporting, HOLDFAST_URL: `holdfast+plaintext://127.0.0.1:${grpcPort}` };
    const { python, environment } = pythonClient(pythonPackages);
    const own = { ADDRESS: `127.0.0.1:${grpcPort}`, QUEUE: pythonQueue, TYPE: sendInPython.name };
    running.push(startPython(python, { ...environment, ...exporting, ...own }));
    await Promise.all([
      verb(ports.worker, ['worker', module], env),
      verb(ports.canary, ['canary', '--slot', '500ms'], env),
    ]);
    return {
      engine,
      env,
      ports,
      submit: async (letter) => JSON.parse(await runProgram([client, String(letter)], env)) as Submitted,
      command: (argv, more = {}) => runProgram([main, ...argv], { ...env, ...more }),
      stopServer: () => server.end(),
      end,
    };
  } catch (thrown) {
    await end();
    throw thrown;
  }
}
