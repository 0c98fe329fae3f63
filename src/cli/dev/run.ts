import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { HoldfastError } from '../../core/errors.ts';
import { timing } from '../../core/limits.ts';
import { type RunningServer, serve } from '../../node/node.ts';
import { systemClock } from '../../platform/clock.ts';
import { defaultLog } from '../../platform/log.ts';
import type { Service } from '../../service/service.ts';
import type { CertificateFiles } from '../../tls/load.ts';
import { exitCodes } from '../exit-codes.ts';
import { type MetricsFlags, metricsText } from '../metrics-options.ts';
import { findModule, shortPath } from '../module/find.ts';
import { type Output, printFailure } from '../output.ts';
import { type RunningTelemetry, startTelemetry } from '../start-telemetry.ts';
import { endWithin, untilStopped } from '../stop.ts';
import { defaultPorts } from '../text/numbers.ts';
import { nextFreePort } from './free-port.ts';
import { lostTasksText } from './lost-tasks.ts';
import { nextSteps, readyText } from './next-steps.ts';
import { type DevPorts, ensureCertificates, workerEnv, writeProfile } from './profile.ts';
import { Supervisor } from './supervisor.ts';
import { printingEnds } from './task-ends.ts';

export interface DevOptions extends MetricsFlags {
  /** The ports that the user named. Default: the usual ones, or the next ones that are free. */
  readonly port?: number | undefined;
  readonly httpPort?: number | undefined;
  readonly dir: string;
  /** The time in which running tasks may finish when `holdfast dev` is stopped, in ms. */
  readonly drain: number;
}

/** Returns the ports to listen on. Says so if a usual one is taken. */
async function portsFor(options: DevOptions): Promise<{ readonly grpc: number; readonly http: number }> {
  const grpc = options.port ?? (await nextFreePort(defaultPorts.grpc));
  const http = options.httpPort ?? (await nextFreePort(defaultPorts.http, [grpc]));
  const moved = (usual: number, port: number, isNamed: boolean, name: string): void => {
    if (!isNamed && port !== usual) print(`Port ${usual} is in use: ${name} is on ${port} instead.`);
  };
  moved(defaultPorts.grpc, grpc, options.port !== undefined, 'gRPC');
  moved(defaultPorts.http, http, options.httpPort !== undefined, 'HTTP');
  return { grpc, http };
}

async function startServer(
  dir: string,
  ports: { readonly grpc: number; readonly http: number },
  tls: CertificateFiles,
  telemetry: RunningTelemetry,
): Promise<RunningServer> {
  const { metrics, tracing } = telemetry;
  const log = defaultLog();
  return serve({
    store: `file:${join(dir, 'queue.db')}`,
    grpc: { host: '127.0.0.1', port: ports.grpc, tls },
    http: { host: '127.0.0.1', port: ports.http, tls },
    clock: systemClock(),
    log,
    metrics,
    tracing,
    observe: (counters) => printingEnds(counters, print),
    onFatal: (error: HoldfastError) => {
      log.error({ err: error }, 'the store failed; the server ends');
      void telemetry.stop().finally(() => process.exit(exitCodes.failed));
    },
  });
}

/** Adds advice for a developer who runs `holdfast dev` twice to the error of a server that could not start. */
function explainStartError(thrown: unknown, module: string | undefined): unknown {
  if (!(thrown instanceof HoldfastError)) return thrown;
  if (thrown.reason === 'STORE_LOCKED') {
    const holder = /process \d+/.exec(thrown.message)?.[0];
    const otherCommand = module === undefined ? 'npx holdfast list' : `npx holdfast worker ${module}`;
    return new HoldfastError(
      thrown.code,
      thrown.reason,
      `A holdfast already runs in this folder${holder === undefined ? '' : ` (${holder})`}.`,
      {
        help: `Use that one (${otherCommand}), or stop it first, or use another store: --dir <folder>.`,
        cause: thrown,
      },
    );
  }
  if (thrown.reason === 'PORT_IN_USE') {
    return new HoldfastError(thrown.code, thrown.reason, thrown.message, {
      help: 'A holdfast may run in another folder. Use free ports: --port 0 --http-port 0.',
      cause: thrown,
    });
  }
  return thrown;
}

/** Creates the folder of `holdfast dev` with a .gitignore, so that keys and tasks are not committed to a repository. */
function makeFolder(dir: string): void {
  mkdirSync(dir, { recursive: true });
  const ignore = join(dir, '.gitignore');
  if (!existsSync(ignore)) writeFileSync(ignore, '*\n');
}

function print(text: string): void {
  process.stderr.write(`${text}\n`);
}

function startWorker(
  file: string,
  service: Service,
  ports: DevPorts,
  client: CertificateFiles,
  output: Output,
): Supervisor {
  let hasPrintedSteps = false;
  return new Supervisor({
    file,
    env: workerEnv(ports, client),
    stdout: output.json ? 2 : 1,
    print,
    printFailure,
    lostTasks: (worker) => lostTasksText(service, worker),
    onWorking(handled, queues, pid) {
      const types = handled.map(({ type }) => type);
      print(`working on ${types.join(', ')} (queue ${queues.join(', ')}; process ${pid})`);
      if (!hasPrintedSteps) output.note(nextSteps(handled, ports, client));
      hasPrintedSteps = true;
    },
  });
}

export async function runDev(module: string | undefined, options: DevOptions, output: Output): Promise<void> {
  const file = module === undefined ? undefined : findModule(module);
  const dir = resolve(options.dir);
  makeFolder(dir);
  const { server, client } = await ensureCertificates(join(dir, 'certs'), Date.now());
  const started = async () => {
    const telemetry = await startTelemetry({
      ...{ clock: systemClock(), log: defaultLog(), serviceName: 'holdfast-server', metrics: options },
    });
    return { telemetry, serving: await startServer(dir, await portsFor(options), server, telemetry) };
  };
  const { serving, telemetry } = await started().catch((thrown: unknown) => {
    throw explainStartError(thrown, module);
  });
  const { grpcPort, httpPort } = serving.listening;
  const ports = { grpcPort, httpPort };
  const profile = writeProfile(ports, client);
  const stopped = untilStopped(undefined, { endsWithParent: true });
  const ready = `${readyText(ports)}${metricsText(telemetry.metrics, options)}`;
  const metricsPort = telemetry.metrics?.port;
  output.result({ ...ports, metricsPort, profile, pid: process.pid, worker: file }, () =>
    file === undefined ? `${ready}\n${nextSteps(undefined, ports, client)}` : ready,
  );
  const worker =
    file === undefined ? undefined : startWorker(file, serving.node.service, ports, client, output);
  const keepAlive = setInterval(() => {}, 60_000);
  await stopped;
  if (worker !== undefined) print(`draining: ${shortPath(file ?? '')} may finish its running tasks`);
  await worker?.stop(options.drain);
  endWithin(timing.serverStopMs);
  await serving.close();
  await telemetry.stop();
  clearInterval(keepAlive);
}
