/** Who the other side of a TLS connection is, by its certificate. */
import type { TLSSocket } from 'node:tls';
import { HoldfastError } from '../core/errors.ts';

export interface Peer {
  /** SPIFFE URI of the certificate, else its CN. */
  readonly name: string;
  /** Hexadecimal, upper case; empty without a certificate. */
  readonly serial: string;
}

/** On a plaintext listener, which is on loopback. */
export const localPeer: Peer = { name: 'local', serial: '' };

const spiffe = 'spiffe://';

/** The peer, or why it is none: UNAUTHENTICATED with NO_CERTIFICATE or CERTIFICATE_REFUSED. */
export function peerOf(socket: TLSSocket): Peer | HoldfastError {
  const certificate = socket.getPeerCertificate();
  if (certificate.raw === undefined) return noCertificate;
  if (!socket.authorized) return refused(String(socket.authorizationError));
  const uris = spiffeIds(certificate.subjectaltname ?? '');
  if (uris.length > 1) return unnamed('carries more than one SPIFFE id');
  const name = uris[0] ?? commonName(certificate.subject?.CN);
  return name instanceof HoldfastError ? name : { name, serial: certificate.serialNumber };
}

/** An authority that checks ids and lets a CN be anything must not let one pass as the id of another. */
function commonName(name: unknown): string | HoldfastError {
  if (typeof name !== 'string' || name === '') return unnamed('names nobody: no SPIFFE id, and not one CN');
  if (name.includes('://')) return unnamed('has a URI as its CN, where it proves nothing');
  return name;
}

/**
 * The SPIFFE ids of a subject alternative name as Node writes it: `URI:a, DNS:b`, where a value with a comma or a
 * quote in it is a JSON string, so that nobody can smuggle in a second name.
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
};

function refused(code: string): HoldfastError {
  const why = whyRefused[code] ?? 'the server does not trust the authority that signed it';
  return new HoldfastError(
    'UNAUTHENTICATED',
    'CERTIFICATE_REFUSED',
    `The client certificate is refused: ${why} (${code}).`,
    { help: 'Issue one with `holdfast certs issue`, from the authority that the server trusts.' },
  );
}

function unnamed(what: string): HoldfastError {
  return new HoldfastError('UNAUTHENTICATED', 'CERTIFICATE_REFUSED', `The client certificate ${what}.`, {
    help: helpIssue,
  });
}
