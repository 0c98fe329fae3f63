/** Issues certificates that the development authority signs. */
import { renameSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { ifGiven, name, Violations, whole } from '../core/rules.ts';
import { badCertificate, type CertificateFiles } from '../tls/load.ts';
import { backdateMs, openAuthority, privateMode } from './authority.ts';
import { keyPem, newKeys, signing, x509 } from './x509.ts';

const day = 86_400_000;
const defaultDays = 365;
const mostDays = 3_650;
/** The names and addresses by which clients reach a server on this machine. */
const localHosts: readonly string[] = ['localhost', '127.0.0.1', '::1'];
const trustDomain = 'holdfast.dev';

export interface CertificateRequest {
  /** The subject of the certificate and the name of its files: at most 64 letters, digits, `.`, `_`, `-`. */
  readonly name: string;
  readonly kind: 'server' | 'client';
  /**
   * The names and addresses by which clients reach the server. Default: `localhost`, `127.0.0.1` and `::1`. For servers
   * only.
   */
  readonly hosts?: readonly string[] | undefined;
  /** The validity in days, at most 3,650. It never ends after the validity of the authority. Default: 365. */
  readonly days?: number | undefined;
}

/** Returns the SPIFFE id that a certificate holds for its owner. */
export function spiffeId(kind: CertificateRequest['kind'], name: string): string {
  return `spiffe://${trustDomain}/${kind}/${name}`;
}

/**
 * Issues a certificate: writes `<name>.crt` and `<name>.key` (mode 0600) beside the authority's files, and replaces
 * earlier files of this name.
 */
export async function issue(
  dir: string,
  request: CertificateRequest,
  nowMs: number,
): Promise<CertificateFiles> {
  ensureRequest(request);
  const signer = await openAuthority(dir);
  const notAfter = Math.min(
    nowMs + (request.days ?? defaultDays) * day,
    signer.certificate.notAfter.getTime(),
  );
  if (notAfter <= nowMs) {
    const help =
      'Move it away, make a new one with `holdfast certs init`, and issue every certificate again.';
    throw badCertificate(`The authority in '${signer.certFile}' has expired.`, help);
  }
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [{ CN: [request.name] }],
    issuer: signer.certificate.subjectName,
    publicKey: keys.publicKey,
    signingKey: signer.key,
    signingAlgorithm: signing,
    notBefore: new Date(nowMs - backdateMs),
    notAfter: new Date(notAfter),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([usageOf(request.kind)]),
      new x509.SubjectAlternativeNameExtension(namesOf(request)),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(signer.certificate.publicKey),
    ],
  });
  const files = {
    ca: signer.certFile,
    cert: join(dir, `${request.name}.crt`),
    key: join(dir, `${request.name}.key`),
  };
  replace(files.key, await keyPem(keys.privateKey));
  replace(files.cert, `${certificate.toString('pem')}\n`);
  return files;
}

function usageOf(kind: CertificateRequest['kind']): x509.ExtendedKeyUsageType {
  return kind === 'server' ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth;
}

function namesOf({ kind, name, hosts }: CertificateRequest): x509.JsonGeneralNames {
  if (kind === 'client') return [{ type: 'url', value: spiffeId(kind, name) }];
  return (hosts ?? localHosts).map((host) =>
    isIP(host) === 0 ? { type: 'dns', value: host } : { type: 'ip', value: host },
  );
}

/**
 * Replaces a file in one step, so that a server that reloads the file at this moment reads the old or the new file,
 * never a part.
 */
function replace(file: string, pem: string): void {
  writeFileSync(`${file}.new`, pem, { mode: privateMode });
  renameSync(`${file}.new`, file);
}

const dnsName =
  /^(?=.{1,253}$)(\*\.)?([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/;

const nameRule = name();
const daysRule = ifGiven(whole(1, mostDays, 'days'));

function ensureRequest({ name, kind, hosts, days }: CertificateRequest): void {
  const found = new Violations();
  found.add('name', nameRule(name) ?? (name.startsWith('.') ? "must not begin with '.'" : undefined));
  if (name === 'ca') found.add('name', "must not be 'ca', which names the authority's own files");
  found.add('days', daysRule(days));
  if (kind === 'client' && hosts !== undefined && hosts.length > 0) found.add('hosts', 'is for servers only');
  if (hosts?.length === 0 && kind === 'server') found.add('hosts', 'must not be empty');
  for (const host of hosts ?? []) {
    if (isIP(host) === 0 && !dnsName.test(host))
      found.add('hosts', `'${host}' is neither a host name nor an address`);
  }
  found.throwIfAny();
}
