import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { initAuthority } from '../../certs/authority.ts';
import { issue, type Order } from '../../certs/issue.ts';
import { show } from '../../certs/show.ts';
import type { CertificateFiles } from '../../tls/load.ts';

export interface DevCertificates {
  readonly server: CertificateFiles;
  readonly client: CertificateFiles;
}

/** One that is over so soon is issued anew. */
const renewMs = 7 * 86_400_000;

/** Made at the first use and kept: a development authority in `dir`, and one certificate for each side. */
export async function ensureCertificates(dir: string, nowMs: number): Promise<DevCertificates> {
  await initAuthority(dir, nowMs);
  return {
    server: await ensure(dir, { name: 'server', kind: 'server' }, nowMs),
    client: await ensure(dir, { name: 'dev', kind: 'client' }, nowMs),
  };
}

async function ensure(dir: string, order: Order, nowMs: number): Promise<CertificateFiles> {
  const at = (name: string): string => join(dir, name);
  const files = { ca: at('ca.crt'), cert: at(`${order.name}.crt`), key: at(`${order.name}.key`) };
  const there = existsSync(files.cert) && existsSync(files.key);
  return there && show(files.cert).notAfterMs > nowMs + renewMs ? files : issue(dir, order, nowMs);
}
