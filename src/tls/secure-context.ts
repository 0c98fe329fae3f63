/** The TLS settings of the gRPC and the HTTP listener, which are reloaded from their files without a restart. */
import { constants } from 'node:crypto';
import type { TlsOptions } from 'node:tls';
import { asHoldfastError } from '../core/errors.ts';
import { timing } from '../core/limits.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { type CertificateFiles, ensureForServers, loadCertificates } from './load.ts';
import { watchFiles } from './watch-files.ts';

/**
 * Returns the TLS settings of a server. It requests a client certificate, but accepts a missing or wrong one in the
 * handshake and refuses the first request instead: the client then gets an error message, while TLS 1.3 would only
 * close the connection. Sessions are not resumed, because a resumed session would skip the check against a replaced
 * authority.
 */
export function serverTls(files: CertificateFiles, clock: Clock): TlsOptions {
  const { ca, cert, key } = loadCertificates(files, clock.now());
  ensureForServers(cert, files.cert);
  return {
    ca,
    cert,
    key,
    minVersion: 'TLSv1.2',
    requestCert: true,
    rejectUnauthorized: false,
    secureOptions: constants.SSL_OP_NO_TICKET,
    handshakeTimeout: timing.handshakeMs,
  };
}

export interface Renewable {
  setSecureContext(options: TlsOptions): void;
}

/**
 * Reloads the certificate files when they change, and returns a function that ends the reloading. New connections use
 * the new certificate, open ones keep theirs. Wrong files change nothing and are logged.
 */
export function renewCertificates(
  server: Renewable,
  files: CertificateFiles,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): () => void {
  let loggedMessage = '';
  return watchFiles(clock, [files.ca, files.cert, files.key], () => {
    try {
      server.setSecureContext(serverTls(files, clock));
      loggedMessage = '';
      log.info({ file: files.cert }, 'the certificate was renewed');
      return true;
    } catch (thrown) {
      const { message, help } = asHoldfastError(thrown);
      // The files are checked every 2 s, but the same fault is logged once.
      if (message !== loggedMessage)
        log.error({ file: files.cert, help }, `the old certificate stays in use: ${message}`);
      loggedMessage = message;
      return false;
    }
  });
}
