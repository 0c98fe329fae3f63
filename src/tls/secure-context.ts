/** The TLS settings of both listeners, and their renewal from the files without a restart. */
import { constants } from 'node:crypto';
import type { TlsOptions } from 'node:tls';
import { asHoldfastError } from '../core/errors.ts';
import { timing } from '../core/limits.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { type CertificateFiles, ensureForServers, loadCertificates } from './load.ts';
import { watchFiles } from './watch-files.ts';

/**
 * Every client is asked for a certificate, and one that has none, or a wrong one, is let through the handshake and
 * refused at its first request: so it is told why in a sentence, where TLS 1.3 would only cut it. No session is
 * resumed: a resumed one would skip the check against an authority that has been exchanged since.
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

/** New connections get the new certificate; open ones go on with theirs. Files that are wrong change nothing. */
export function renewCertificates(
  server: Renewable,
  files: CertificateFiles,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): () => void {
  let told = '';
  return watchFiles(clock, [files.ca, files.cert, files.key], () => {
    try {
      server.setSecureContext(serverTls(files, clock));
      told = '';
      log.info({ file: files.cert }, 'the certificate was renewed');
      return true;
    } catch (thrown) {
      const { message, help } = asHoldfastError(thrown);
      // Looked at again and again until it is right, but told once.
      if (message !== told)
        log.error({ file: files.cert, help }, `the old certificate stays in use: ${message}`);
      told = message;
      return false;
    }
  });
}
