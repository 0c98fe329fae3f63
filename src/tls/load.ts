/** Reads and checks the certificate files of a server or a client, before they are used. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { HoldfastError } from '../core/errors.ts';
import { readSource } from './read-source.ts';

/** The paths of a certificate's PEM files. `env:NAME` is the environment variable that has the content. */
export interface CertificateFiles {
  /** The file of the authorities that may have issued the other side's certificate. */
  readonly ca: string;
  /** The file of this side's certificate, with its chain. */
  readonly cert: string;
  readonly key: string;
}

export interface Certificates {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
  /**
   * The time at which the first of the loaded certificates expires: this side's certificate or one of the authorities.
   */
  readonly notAfterMs: number;
}

const helpIssue =
  'Make an authority with `holdfast certs init` and certificates with `holdfast certs issue`, or name another file.';

export function badCertificate(message: string, help: string = helpIssue, cause?: unknown): HoldfastError {
  return new HoldfastError('FAILED_PRECONDITION', 'BAD_CERTIFICATE', message, { help, cause });
}

/**
 * Reads and checks certificate files.
 *
 * @throws HoldfastError FAILED_PRECONDITION, reason BAD_CERTIFICATE; the message names the file and its fault.
 */
export function loadCertificates(files: CertificateFiles, nowMs: number): Certificates {
  const ca = readPem(files.ca, 'authority');
  const cert = readPem(files.cert, 'certificate');
  const key = readPem(files.key, 'key');
  const authorities = certificatesOf(ca, files.ca);
  const own = certificatesOf(cert, files.cert)[0] as X509Certificate;
  for (const authority of authorities) ensureValid(authority, files.ca, nowMs);
  ensureValid(own, files.cert, nowMs);
  if (!own.checkPrivateKey(keyOf(key, files.key))) {
    throw badCertificate(
      `The key in '${files.key}' does not belong to the certificate in '${files.cert}'.`,
      'Name two files that were issued together, or issue both again with `holdfast certs issue`.',
    );
  }
  const notAfterMs = Math.min(...[own, ...authorities].map((c) => c.validToDate.getTime()));
  return { ca, cert, key, notAfterMs };
}

const serverUse = '1.3.6.1.5.5.7.3.1';

/**
 * Throws BAD_CERTIFICATE if a certificate was not issued for servers, because clients would close every connection. A
 * certificate without a key usage is for every use.
 */
export function ensureForServers(cert: Buffer, file: string): void {
  const own = certificatesOf(cert, file)[0] as X509Certificate;
  // `keyUsage` is undefined if the certificate names no use, although Node's types do not say so.
  const uses = own.keyUsage as readonly string[] | undefined;
  if (uses === undefined || uses.includes(serverUse)) return;
  throw badCertificate(
    `The certificate in '${file}' was not issued for servers.`,
    'Make one with `holdfast certs issue <name> --kind server`, or name another file.',
  );
}

/**
 * Reads only the file of the authorities, for a client without a certificate. Throws BAD_CERTIFICATE if an authority in
 * it is wrong or expired.
 */
export function loadAuthorities(file: string, nowMs: number): Buffer {
  const ca = readPem(file, 'authority');
  for (const authority of certificatesOf(ca, file)) ensureValid(authority, file, nowMs);
  return ca;
}

function readPem(file: string, what: string): Buffer {
  try {
    return readSource(file);
  } catch (thrown) {
    const code = (thrown as NodeJS.ErrnoException).code;
    const why = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`;
    throw badCertificate(`The ${what} file '${file}' ${why}.`, helpIssue, thrown);
  }
}

const certificateBlock = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** Returns the certificates of a PEM file. Throws BAD_CERTIFICATE if there is none or one is damaged. */
export function certificatesOf(pem: Buffer, file: string): X509Certificate[] {
  const blocks = pem.toString('latin1').match(certificateBlock);
  if (blocks === null) {
    throw badCertificate(
      `The file '${file}' holds no PEM certificate.`,
      'The file must contain a block that begins with -----BEGIN CERTIFICATE-----. Convert it, or name another file.',
    );
  }
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (thrown) {
    throw badCertificate(`The file '${file}' holds a damaged certificate.`, helpIssue, thrown);
  }
}

function keyOf(pem: Buffer, file: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (thrown) {
    const locked = pem.includes('ENCRYPTED');
    throw badCertificate(
      locked
        ? `The key in '${file}' is locked by a passphrase.`
        : `The file '${file}' holds no PEM private key.`,
      locked
        ? 'Store the key without a passphrase, in a file that only the server’s user may read.'
        : 'The file must contain a block such as -----BEGIN PRIVATE KEY-----.',
      thrown,
    );
  }
}

function ensureValid(certificate: X509Certificate, file: string, nowMs: number): void {
  const { validFromDate, validToDate } = certificate;
  if (nowMs > validToDate.getTime()) {
    const help = 'Issue a new one with `holdfast certs issue`; a running server loads it without a restart.';
    throw badCertificate(`The certificate in '${file}' expired on ${validToDate.toISOString()}.`, help);
  }
  if (nowMs < validFromDate.getTime()) {
    const help = 'Check the clock of this machine.';
    throw badCertificate(
      `The certificate in '${file}' is not valid before ${validFromDate.toISOString()}.`,
      help,
    );
  }
}
