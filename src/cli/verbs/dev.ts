import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { Command } from '@commander-js/extra-typings';
import { initAuthority } from '../../certs/authority.ts';
import { issue } from '../../certs/issue.ts';
import type { CertificateFiles } from '../../certs/load.ts';
import { profileFile } from '../../client/profile.ts';
import type { HoldfastError } from '../../core/errors.ts';
import { systemClock } from '../../platform/clock.ts';
import { defaultLog } from '../../platform/log.ts';
import { serve } from '../../server.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Globals } from '../globals.ts';
import { untilStopped } from '../stop.ts';
import { defaultPorts, port } from './serve.ts';

interface DevFiles {
  readonly server: CertificateFiles;
  readonly client: CertificateFiles;
}

/** Made at the first use and kept: a development authority, and one certificate for each side. */
async function ensureCertificates(dir: string): Promise<DevFiles> {
  const certs = join(dir, 'certs');
  const nowMs = Date.now();
  const files = (name: string): CertificateFiles => ({
    ca: join(certs, 'ca.crt'),
    cert: join(certs, `${name}.crt`),
    key: join(certs, `${name}.key`),
  });
  if (!existsSync(files('server').ca)) await initAuthority(certs, nowMs);
  if (!existsSync(files('server').cert)) await issue(certs, { name: 'server', kind: 'server' }, nowMs);
  if (!existsSync(files('dev').cert)) await issue(certs, { name: 'dev', kind: 'client' }, nowMs);
  return { server: files('server'), client: files('dev') };
}

function writeProfile(
  folder: string,
  client: CertificateFiles,
  grpcPort: number,
  httpPort: number | undefined,
): string {
  const file = join(folder, profileFile);
  const at = (path: string): string => relative(resolve(file, '..'), path);
  const profile = {
    url: `holdfast://127.0.0.1:${grpcPort}`,
    ...(httpPort !== undefined && { httpUrl: `https://127.0.0.1:${httpPort}` }),
    ca: at(client.ca),
    cert: at(client.cert),
    key: at(client.key),
  };
  writeFileSync(file, `${JSON.stringify(profile, null, 2)}\n`);
  return file;
}

function next(grpcPort: number, httpPort: number | undefined, client: CertificateFiles): string {
  const here = (path: string): string => relative(process.cwd(), path);
  return [
    `holdfast is ready: gRPC on 127.0.0.1:${grpcPort}, HTTP on 127.0.0.1:${httpPort}`,
    '',
    'In another terminal:',
    `  npx holdfast submit greet '{"name":"Ada"}' --key greet/ada`,
    '  npx holdfast list',
    `  curl --cacert ${here(client.ca)} --cert ${here(client.cert)} --key ${here(client.key)} \\`,
    `    -H 'content-type: application/json' -d '{"queue":"default"}' \\`,
    `    https://127.0.0.1:${httpPort}/holdfast.v1.TaskService/ListTasks`,
    '',
    'Ctrl-C drains and ends it; a second Ctrl-C ends it at once.',
  ].join('\n');
}

export function addDev(program: Command, globals: Globals): void {
  program
    .command('dev')
    .description('run everything on this machine: certificates, store and server, and say what to do next')
    .option('--port <n>', 'the gRPC port; 0: any free one', port, defaultPorts.grpc as number)
    .option('--http-port <n>', 'the HTTP port; 0: any free one', port, defaultPorts.http as number)
    .option('--dir <folder>', 'where everything is kept', '.holdfast')
    .action(async (options) => {
      const dir = resolve(options.dir);
      mkdirSync(dir, { recursive: true });
      const { server, client } = await ensureCertificates(dir);
      const log = defaultLog();
      const serving = await serve({
        store: `file:${join(dir, 'queue.db')}`,
        grpc: { host: '127.0.0.1', port: options.port, tls: server },
        http: { host: '127.0.0.1', port: options.httpPort, tls: server },
        clock: systemClock(),
        log,
        onFatal: (error: HoldfastError) => {
          log.error({ err: error }, 'the store failed; ending');
          process.exit(exitCodes.failed);
        },
      });
      const { grpcPort, httpPort } = serving.listening;
      const profile = writeProfile(resolve(dir, '..'), client, grpcPort, httpPort);
      globals().output.result({ grpcPort, httpPort, profile, pid: process.pid }, () =>
        next(grpcPort, httpPort, client),
      );
      const keepAlive = setInterval(() => {}, 60_000);
      await untilStopped();
      await serving.close();
      clearInterval(keepAlive);
    });
}
