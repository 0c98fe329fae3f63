/** The client's side of mutual TLS. */
import { statSync } from 'node:fs';
import { isIP } from 'node:net';
import { checkServerIdentity, createSecureContext } from 'node:tls';
import { type ChannelCredentials, credentials } from '@grpc/grpc-js';
import type { Clock } from '../../ports/clock.ts';
import { loadAuthorities, loadCertificates } from '../../tls/load.ts';
import type { Target } from './address.ts';

/** Paths of PEM files. A server of Holdfast refuses clients without `cert` and `key`. */
export interface ClientTls {
  readonly ca: string;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export interface ClientCertificates {
  readonly ca: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** Throws BAD_CERTIFICATE. */
export function readClientTls({ ca, cert, key }: ClientTls, clock: Clock): ClientCertificates {
  if (cert === undefined || key === undefined) return { ca: loadAuthorities(ca, clock.now()) };
  const loaded = loadCertificates({ ca, cert, key }, clock.now());
  return { ca: loaded.ca, cert: loaded.cert, key: loaded.key };
}

/** Differs when a file does. */
export function printOf({ ca, cert, key }: ClientTls): string {
  return [ca, cert, key]
    .filter((file) => file !== undefined)
    .map((file) => {
      const { ino, size, mtimeMs } = statSync(file, { throwIfNoEntry: false }) ?? {};
      return `${ino}/${size}/${mtimeMs}`;
    })
    .join(' ');
}

export function secureCredentials(certificates: ClientCertificates, { host }: Target): ChannelCredentials {
  const context = createSecureContext({ ...certificates, minVersion: 'TLSv1.2' });
  return credentials.createFromSecureContext(context, {
    // grpc-js must be given a name to ask for (see sniOptions), but it is the address that the certificate is for.
    checkServerIdentity: (_asked, certificate) => checkServerIdentity(host, certificate),
  });
}

/** TLS forbids addresses where a server's name is asked for, and grpc-js asks for whatever it dials. */
export function sniOptions({ host }: Target): Record<string, string> {
  return isIP(host) === 0 ? {} : { 'grpc.ssl_target_name_override': 'localhost' };
}
