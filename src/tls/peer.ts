/** The identity of the other side of a TLS connection, from its certificate. */
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { HoldfastError } from '../core/errors.ts';

export interface Peer {
  /** The SPIFFE URI of the certificate, or its CN if it has no SPIFFE URI. */
  readonly name: string;
  /** The serial number of the certificate, in upper-case hexadecimal. It is empty without a certificate. */
  readonly serial: string;
}

/** The peer of every connection to a plaintext listener, which is always on loopback. */
export const localPeer: Peer = { name: 'local', serial: '' };

const spiffe = 'spiffe://';

/**
 * Returns the peer of a TLS connection, or the error: UNAUTHENTICATED with the reason NO_CERTIFICATE,
 * CERTIFICATE_REFUSED or CERTIFICATE_EXPIRED.
 */
export function peerOf(socket: TLSSocket): Peer | HoldfastError {
  const certificate = socket.getPeerCertificate();
  if (certificate.raw === undefined) return noCertificate;
  if (!socket.authorized) return refusedCertificate(String(socket.authorizationError));
  return peerOfCertificate(certificate);
}

/** Returns the peer that a verified certificate names, or UNAUTHENTICATED with the reason CERTIFICATE_REFUSED. */
export function peerOfCertificate(
  certificate: Pick<PeerCertificate, 'subjectaltname' | 'subject' | 'serialNumber'>,
): Peer | HoldfastError {
  const uris = spiffeIds(certificate.subjectaltname ?? '');
  if (uris.length > 1) return unnamed('has more than one SPIFFE id');
  const name = uris[0] ?? commonName(certificate.subject?.CN);
  return name instanceof HoldfastError ? name : { name, serial: certificate.serialNumber };
}

/**
 * Returns the CN of a certificate as its peer's name. It refuses a URI: an authority may check SPIFFE ids but not CNs,
 * and a CN must not pass as the SPIFFE id of another client.
 */
function commonName(name: unknown): string | HoldfastError {
  if (typeof name !== 'string' || name === '')
    return unnamed('has no name: it must have a SPIFFE id or exactly one CN');
  if (name.includes('://'))
    return unnamed('has a URI as its CN; an identity URI must be a subject alternative name');
  return name;
}

/**
 * Returns the SPIFFE ids of a subject alternative name in Node's text form, such as `URI:a, DNS:b`. In this form a
 * value with a comma or a quote is a JSON string, so that one value cannot pass as two names.
 */
export function spiffeIds(subjectAltName: string): string[] {
  const found: string[] = [];
  for (const [, kind, value] of subjectAltName.matchAll(/([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g)) {
    if (kind !== 'URI' || value === undefined) continue;
    const uri: unknown = value.startsWith('"') ? JSON.parse(value) : value;
    if (typeof uri === 'string' && uri.startsWith(spiffe)) found.push(uri);
  }
  return found;
}

const helpIssue = 'Make one with `holdfast certs issue <name>` and give its three files to the client.';

export const noCertificate = new HoldfastError(
  'UNAUTHENTICATED',
  'NO_CERTIFICATE',
  'The server asks for a client certificate, and none was given.',
  { help: helpIssue },
);

const whyRefused: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'it has expired',
  CERT_NOT_YET_VALID: 'it is not valid yet',
  INVALID_PURPOSE: 'it was not issued for clients',
  CERT_SIGNATURE_FAILURE: 'its signature is wrong',
  CA_MD_TOO_WEAK: 'its signature, or that of an authority above it, has a weak digest',
  EE_KEY_TOO_SMALL: 'its key, or that of an authority above it, is weak',
  INVALID_CA: 'a certificate that is no authority signed it',
  PATH_LENGTH_EXCEEDED: 'more authorities stand above it than one of them allows',
  UNHANDLED_CRITICAL_EXTENSION:
    'it, or an authority above it, has a critical extension that is not known here',
  SUBTREE_MINMAX: 'it, or an authority above it, constrains names, which is not supported here',
};

/** The codes of a certificate that is refused because of the time alone. */
const outOfTime: ReadonlySet<string> = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);

/** Returns the error for a certificate that OpenSSL, or a check by its rules, refuses with this code. */
export function refusedCertificate(code: string): HoldfastError {
  const why = whyRefused[code] ?? 'the server does not trust the authority that signed it';
  return new HoldfastError(
    'UNAUTHENTICATED',
    outOfTime.has(code) ? 'CERTIFICATE_EXPIRED' : 'CERTIFICATE_REFUSED',
    `The client certificate is refused: ${why} (${code}).`,
    { help: 'Issue one with `holdfast certs issue`, by the authority that the server trusts.' },
  );
}

function unnamed(what: string): HoldfastError {
  return new HoldfastError('UNAUTHENTICATED', 'CERTIFICATE_REFUSED', `The client certificate ${what}.`, {
    help: helpIssue,
  });
}
