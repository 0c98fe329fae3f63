/** A server on one engine with a worker of the SDK and one in Python, each a process that exports to the back ends. */
import { canaryQueue } from '../../../src/core/objectives/objectives.ts';
import { pythonClient } from '../python/client.ts';
import { type EndableProcess, runProgram, startPython, startVerb } from '../telemetry/processes.ts';
import { type EngineName, onAws, onSqlite, pythonPackages } from '../telemetry/run.ts';
import { pythonQueue, queue, type Submitted, sendInPython, unservedQueue } from './contract.ts';
import type { ScrapeTarget, Stack } from './stack.ts';

export type Environment = Readonly<Record<string, string>>;

export interface Deployment {
  readonly engine: EngineName;
  /** The environment with which the command and a client find the server and the back ends. */
  readonly env: Environment;
  /** The ports at which its processes show their metrics. */
  readonly targets: readonly ScrapeTarget[];
  submit(letter: number): Promise<Submitted>;
  end(): Promise<void>;
}

const module = new URL('./worker-module.ts', import.meta.url).pathname;
const client = new URL('./client-process.ts', import.meta.url).pathname;

export async function startDeployment(engine: EngineName, stack: Stack): Promise<Deployment> {
  const store = engine === 'aws' ? await onAws([queue, pythonQueue, unservedQueue, canaryQueue]) : onSqlite();
  const exporting = {
    OTEL_EXPORTER_OTLP_ENDPOINT: stack.otlpUrl,
    // Prometheus reads the processes themselves: exported as well, each of their series would be there twice.
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_BSP_SCHEDULE_DELAY: '200',
    OTEL_RESOURCE_ATTRIBUTES: `deployment.environment.name=${engine}`,
    HOLDFAST_LOG: 'info',
    HOLDFAST_TRACES_URL: `jaeger+${stack.tracesUrl}`,
    HOLDFAST_LOGS_URL: `victorialogs+${stack.logsUrl}`,
    HOLDFAST_PROMETHEUS_URL: stack.prometheusUrl,
  };
  const running: EndableProcess[] = [];
  const end = async (): Promise<void> => {
    await Promise.all(running.map((one) => one.end()));
    await store.close();
  };
  const verb = async (args: readonly string[], env: Environment) => {
    const started = await startVerb([...args, '--metrics-port', '0'], env);
    running.push(started);
    return started.startReport as { readonly grpcPort: number; readonly metricsPort: number };
  };
  try {
    const serving = ['serve', ...store.args, '--port', '0', '--http-port', '0', '--plaintext'];
    const server = await verb(serving, { ...store.env, ...exporting });
    const env = { ...exporting, HOLDFAST_URL: `holdfast+plaintext://127.0.0.1:${server.grpcPort}` };
    const { python, environment } = pythonClient(pythonPackages);
    const own = { ADDRESS: `127.0.0.1:${server.grpcPort}`, QUEUE: pythonQueue, TYPE: sendInPython.name };
    running.push(startPython(python, { ...environment, ...exporting, ...own }));
    const [worker, canary] = await Promise.all([
      verb(['worker', module], env),
      verb(['canary', '--slot', '500ms'], env),
    ]);
    const jobs = Object.entries({ server, worker, canary });
    return {
      engine,
      env,
      targets: jobs.map(([job, { metricsPort }]) => ({ job: `holdfast-${job}`, port: metricsPort })),
      submit: async (letter) => JSON.parse(await runProgram([client, String(letter)], env)) as Submitted,
      end,
    };
  } catch (thrown) {
    await end();
    throw thrown;
  }
}
