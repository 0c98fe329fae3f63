/** The development profile: the certificates of this machine, and the file by which clients find the server. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { initAuthority } from '../../certs/authority.ts';
import { type CertificateRequest, issue } from '../../certs/issue.ts';
import { show } from '../../certs/show.ts';
import { profileFile } from '../../client/profile.ts';
import type { CertificateFiles } from '../../tls/load.ts';

export interface DevCertificates {
  readonly server: CertificateFiles;
  readonly client: CertificateFiles;
}

/** A certificate that expires within this time is issued again. */
const renewMs = 7 * 86_400_000;

/**
 * Creates a development certificate authority in `dir`, and one certificate for the server and one for clients. Later
 * calls reuse these certificates until a week before they expire.
 */
export async function ensureCertificates(dir: string, nowMs: number): Promise<DevCertificates> {
  await initAuthority(dir, nowMs);
  return {
    server: await ensureCertificate(dir, { name: 'server', kind: 'server' }, nowMs),
    client: await ensureCertificate(dir, { name: 'dev', kind: 'client' }, nowMs),
  };
}

async function ensureCertificate(
  dir: string,
  request: CertificateRequest,
  nowMs: number,
): Promise<CertificateFiles> {
  const at = (name: string): string => join(dir, name);
  const files = { ca: at('ca.crt'), cert: at(`${request.name}.crt`), key: at(`${request.name}.key`) };
  const exists = existsSync(files.cert) && existsSync(files.key);
  return exists && show(files.cert).notAfterMs > nowMs + renewMs ? files : issue(dir, request, nowMs);
}

export interface DevPorts {
  readonly grpcPort: number;
  readonly httpPort: number | undefined;
}

/**
 * Writes the profile by which `connect()` and every verb find the server, from this folder and all folders below it.
 * Paths in the profile are relative to the folder of the profile.
 */
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

/**
 * Returns an environment for the worker's process in which `connect()` finds the server of `holdfast dev`, whatever the
 * shell has set.
 */
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
