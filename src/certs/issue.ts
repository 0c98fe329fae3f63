/** Certificates signed by the development authority. */
import { renameSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { invalid, type Violation } from '../core/errors.ts';
import { badCertificate, type CertificateFiles } from '../tls/load.ts';
import { backdateMs, openAuthority, privateMode } from './authority.ts';
import { keyPem, newKeys, signing, x509 } from './x509.ts';

const day = 86_400_000;
const defaultDays = 365;
const mostDays = 3_650;
/** What a server on this machine is reached by. */
const localHosts: readonly string[] = ['localhost', '127.0.0.1', '::1'];
const trustDomain = 'holdfast.dev';

export interface Order {
  /** Letters, digits, `.`, `_`, `-`; at most 64. The files are named by it. */
  readonly name: string;
  readonly kind: 'server' | 'client';
  /** Names and addresses that clients reach the server by. Default: this machine's own. Not for clients. */
  readonly hosts?: readonly string[] | undefined;
  /** Default 365, at most 3,650, and never longer than the authority. */
  readonly days?: number | undefined;
}

/** The identity that a client's certificate carries. */
export function spiffeId(kind: Order['kind'], name: string): string {
  return `spiffe://${trustDomain}/${kind}/${name}`;
}

/** Writes `<name>.crt` and `<name>.key` (mode 0600) beside the authority; earlier ones of the name are replaced. */
export async function issue(dir: string, order: Order, nowMs: number): Promise<CertificateFiles> {
  ensureOrder(order);
  const signer = await openAuthority(dir);
  const notAfter = Math.min(nowMs + (order.days ?? defaultDays) * day, signer.certificate.notAfter.getTime());
  if (notAfter <= nowMs) {
    const help = 'Move it away, make a new one with `holdfast certs init`, and issue every certificate anew.';
    throw badCertificate(`The authority in '${signer.certFile}' has expired.`, help);
  }
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [{ CN: [order.name] }],
    issuer: signer.certificate.subjectName,
    publicKey: keys.publicKey,
    signingKey: signer.key,
    signingAlgorithm: signing,
    notBefore: new Date(nowMs - backdateMs),
    notAfter: new Date(notAfter),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([usageOf(order.kind)]),
      new x509.SubjectAlternativeNameExtension(namesOf(order)),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(signer.certificate.publicKey),
    ],
  });
  const files = {
    ca: signer.certFile,
    cert: join(dir, `${order.name}.crt`),
    key: join(dir, `${order.name}.key`),
  };
  replace(files.key, await keyPem(keys.privateKey));
  replace(files.cert, `${certificate.toString('pem')}\n`);
  return files;
}

function usageOf(kind: Order['kind']): x509.ExtendedKeyUsageType {
  return kind === 'server' ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth;
}

function namesOf({ kind, name, hosts }: Order): x509.JsonGeneralNames {
  if (kind === 'client') return [{ type: 'url', value: spiffeId(kind, name) }];
  return (hosts ?? localHosts).map((host) =>
    isIP(host) === 0 ? { type: 'dns', value: host } : { type: 'ip', value: host },
  );
}

/** In one step, so that a server that reloads at this moment reads the old file or the new one, never half. */
function replace(file: string, pem: string): void {
  writeFileSync(`${file}.new`, pem, { mode: privateMode });
  renameSync(`${file}.new`, file);
}

const dnsName =
  /^(?=.{1,253}$)(\*\.)?([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/;

function ensureOrder({ name, kind, hosts, days }: Order): void {
  const wrong: Violation[] = [];
  const add = (field: string, description: string): void => void wrong.push({ field, description });
  if (!/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/.test(name)) {
    add('name', "must be 1 to 64 of letters, digits, '.', '_', '-', and begin with no '.'");
  }
  if (name === 'ca') add('name', "must not be 'ca', which names the authority's own files");
  if (days !== undefined && !(Number.isInteger(days) && days >= 1 && days <= mostDays)) {
    add('days', `must be a whole number from 1 to ${mostDays}`);
  }
  if (kind === 'client' && hosts !== undefined && hosts.length > 0) add('hosts', 'is for servers only');
  if (hosts?.length === 0 && kind === 'server') add('hosts', 'must not be empty');
  for (const host of hosts ?? []) {
    if (isIP(host) === 0 && !dnsName.test(host)) add('hosts', `'${host}' is no host name and no address`);
  }
  if (wrong.length > 0) throw invalid(wrong);
}
