import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { profileFile } from '../../client/profile.ts';
import type { CertificateFiles } from '../../tls/load.ts';

export interface DevPorts {
  readonly grpcPort: number;
  readonly httpPort: number | undefined;
}

/** Writes what `connect()` and every verb find from this folder and those below it. Paths in it are relative to it. */
export function writeProfile({ grpcPort, httpPort }: DevPorts, client: CertificateFiles): string {
  const file = resolve(profileFile);
  const at = (path: string): string => relative(dirname(file), path);
  const profile = {
    url: urlOf(grpcPort),
    ...(httpPort !== undefined && { httpUrl: `https://127.0.0.1:${httpPort}` }),
    ca: at(client.ca),
    cert: at(client.cert),
    key: at(client.key),
  };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(profile, null, 2)}\n`);
  return file;
}

/** What makes `connect()` in the worker's process find this very server, whatever the shell says. */
export function workerEnv({ grpcPort }: DevPorts, { ca, cert, key }: CertificateFiles): NodeJS.ProcessEnv {
  return {
    ...process.env,
    HOLDFAST_URL: urlOf(grpcPort),
    HOLDFAST_CA: ca,
    HOLDFAST_CERT: cert,
    HOLDFAST_KEY: key,
  };
}

function urlOf(grpcPort: number): string {
  return `holdfast://127.0.0.1:${grpcPort}`;
}
