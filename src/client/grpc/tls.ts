/** The client side of mutual TLS. */
import { statSync } from 'node:fs';
import { isIP } from 'node:net';
import { checkServerIdentity, createSecureContext } from 'node:tls';
import type { Clock } from '../../ports/clock.ts';
import { loadAuthorities, loadCertificates } from '../../tls/load.ts';
import type { HostPort } from './address.ts';
import { type ChannelCredentials, credentials } from './library/grpc-js.ts';

/** The paths of a client's PEM files for mutual TLS. The files are read again when they change. */
export interface ClientTls {
  /** The path of the certificate of the authority that signed the server's certificate. */
  readonly ca: string;
  /** The path of the client's certificate. Holdfast servers refuse clients without one. */
  readonly cert?: string | undefined;
  /** The path of the private key of the client's certificate. */
  readonly key?: string | undefined;
}

/** The contents of a client's PEM files. */
export interface ClientCertificates {
  readonly ca: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/**
 * Reads the certificate files. @throws HoldfastError, reason BAD_CERTIFICATE, if a file is missing, invalid or
 * expired.
 */
export function readClientTls({ ca, cert, key }: ClientTls, clock: Clock): ClientCertificates {
  if (cert === undefined || key === undefined) return { ca: loadAuthorities(ca, clock.now()) };
  const loaded = loadCertificates({ ca, cert, key }, clock.now());
  return { ca: loaded.ca, cert: loaded.cert, key: loaded.key };
}

/** Returns a text that changes when one of the certificate files is replaced or modified. */
export function fingerprintOf({ ca, cert, key }: ClientTls): string {
  return [ca, cert, key]
    .filter((file) => file !== undefined)
    .map((file) => {
      const { ino, size, mtimeMs } = statSync(file, { throwIfNoEntry: false }) ?? {};
      return `${ino}/${size}/${mtimeMs}`;
    })
    .join(' ');
}

/** Returns the gRPC credentials, which verify that the server's certificate is for the dialled host. */
export function secureCredentials(certificates: ClientCertificates, { host }: HostPort): ChannelCredentials {
  const context = createSecureContext({ ...certificates, minVersion: 'TLSv1.2' });
  return credentials.createFromSecureContext(context, {
    // The certificate is checked for the host of the address, not for the name that sniOptions makes grpc-js request.
    checkServerIdentity: (_requestedName, certificate) => checkServerIdentity(host, certificate),
  });
}

/**
 * Returns the gRPC options that keep an IP address out of the TLS server name: TLS forbids an IP address as server
 * name, but grpc-js would send the dialled host even if it is an IP address.
 */
export function sniOptions({ host }: HostPort): Record<string, string> {
  return isIP(host) === 0 ? {} : { 'grpc.ssl_target_name_override': 'localhost' };
}
