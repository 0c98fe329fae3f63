import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { HoldfastError } from '../../core/errors.ts';
import { timing } from '../../core/limits.ts';
import { type Serving, serve } from '../../node/node.ts';
import { systemClock } from '../../platform/clock.ts';
import { defaultLog } from '../../platform/log.ts';
import type { CertificateFiles } from '../../tls/load.ts';
import { exitCodes } from '../exit-codes.ts';
import { findModule, shown } from '../module/find.ts';
import { type Output, tellFailure } from '../output.ts';
import { untilStopped } from '../stop.ts';
import { ensureCertificates } from './certificates.ts';
import { nextSteps, readyText } from './next-steps.ts';
import { type DevPorts, workerEnv, writeProfile } from './profile.ts';
import { refusedStart } from './start-errors.ts';
import { Supervisor } from './supervisor.ts';

export interface DevOptions {
  readonly port: number;
  readonly httpPort: number;
  readonly dir: string;
}

async function startServer(dir: string, options: DevOptions, tls: CertificateFiles): Promise<Serving> {
  const log = defaultLog();
  return serve({
    store: `file:${join(dir, 'queue.db')}`,
    grpc: { host: '127.0.0.1', port: options.port, tls },
    http: { host: '127.0.0.1', port: options.httpPort, tls },
    clock: systemClock(),
    log,
    onFatal: (error: HoldfastError) => {
      log.error({ err: error }, 'the store failed; ending');
      process.exit(exitCodes.failed);
    },
  });
}

/** Keys and tasks are nothing for a repository. */
function makeFolder(dir: string): void {
  mkdirSync(dir, { recursive: true });
  const ignore = join(dir, '.gitignore');
  if (!existsSync(ignore)) writeFileSync(ignore, '*\n');
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function startWorker(file: string, ports: DevPorts, client: CertificateFiles, output: Output): Supervisor {
  let told = false;
  return new Supervisor({
    file,
    env: workerEnv(ports, client),
    stdout: output.json ? 2 : 1,
    say,
    failed: tellFailure,
    working(types, queues, pid) {
      say(`working on ${types.join(', ')} (queue ${queues.join(', ')}; process ${pid})`);
      if (!told) output.note(nextSteps(types, ports, client));
      told = true;
    },
  });
}

export async function runDev(module: string | undefined, options: DevOptions, output: Output): Promise<void> {
  const file = module === undefined ? undefined : findModule(module);
  const dir = resolve(options.dir);
  makeFolder(dir);
  const { server, client } = await ensureCertificates(join(dir, 'certs'), Date.now());
  const serving = await startServer(dir, options, server).catch((thrown: unknown) => {
    throw refusedStart(thrown, module);
  });
  const { grpcPort, httpPort } = serving.listening;
  const ports = { grpcPort, httpPort };
  const profile = writeProfile(ports, client);
  const stopped = untilStopped();
  output.result({ ...ports, profile, pid: process.pid, worker: file }, () =>
    file === undefined ? `${readyText(ports)}\n${nextSteps(undefined, ports, client)}` : readyText(ports),
  );
  const worker = file === undefined ? undefined : startWorker(file, ports, client, output);
  const keepAlive = setInterval(() => {}, 60_000);
  await stopped;
  if (worker !== undefined) say(`draining: ${shown(file ?? '')} may finish what it runs`);
  await worker?.stop(timing.drainMs);
  await serving.close();
  clearInterval(keepAlive);
}
