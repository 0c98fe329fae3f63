/** The certificates of a run: the server, the identities, and a client of an authority that the server does not know. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { initAuthority } from '../../../src/certs/authority.ts';
import { issue } from '../../../src/certs/issue.ts';
import type { Verb } from '../../../src/rpc/api/api.ts';
import { verbs } from '../../../src/rpc/auth/policy.ts';
import type { CertificateFiles } from '../../../src/tls/load.ts';
import type { ClientFiles } from './target.ts';

export interface Peers {
  readonly server: CertificateFiles;
  /** The identity whose probes are measured. It may submit, work and read. */
  readonly probe: CertificateFiles;
  /** The identity that submits the tasks which the store has before an attack. */
  readonly stock: CertificateFiles;
  /** The identities that attack: each has one verb. */
  readonly byVerb: ReadonlyMap<Verb, CertificateFiles>;
  /** A client without a certificate, and one with a certificate of another authority. */
  readonly strangers: readonly ClientFiles[];
  readonly policyFile: string;
}

export async function makePeers(dir: string): Promise<Peers> {
  const nowMs = Date.now();
  const other = join(dir, 'other');
  mkdirSync(other);
  await initAuthority(dir, nowMs);
  await initAuthority(other, nowMs);
  const client = (name: string) => issue(dir, { name, kind: 'client' }, nowMs);
  const byVerb = new Map<Verb, CertificateFiles>();
  for (const verb of verbs) byVerb.set(verb, await client(`hog-${verb}`));
  const policyFile = join(dir, 'policy.json');
  const rules = [
    ...verbs.map((verb) => ({ identity: `*/hog-${verb}`, verbs: [verb] })),
    { identity: '*/probe', verbs: ['submit', 'work', 'read'] },
    { identity: '*/stock', verbs: ['submit'] },
  ];
  writeFileSync(policyFile, JSON.stringify({ rules }));
  const server = await issue(dir, { name: 'server', kind: 'server' }, nowMs);
  const foreign = await issue(other, { name: 'foreign', kind: 'client' }, nowMs);
  const strangers = [{ ca: server.ca }, { ...foreign, ca: server.ca }];
  const [probe, stock] = [await client('probe'), await client('stock')];
  return { server, probe, stock, byVerb, strangers, policyFile };
}
