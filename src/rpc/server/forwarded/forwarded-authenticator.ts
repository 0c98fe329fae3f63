/** Authenticates the calls that a load balancer passes on, by the certificates in its headers. */
import { HoldfastError } from '../../../core/errors.ts';
import type { Log } from '../../../ports/log.ts';
import type { ForwardedCertificates } from '../../../tls/forwarded-certificates.ts';
import type { Connection } from '../../auth/connections.ts';
import { connectionOf } from '../../auth/connections.ts';
import {
  type Authenticator,
  connectionClosed,
  forwardedHeader,
  forwardedPrefix,
  type Headers,
} from '../authenticator.ts';
import type { ForwardedCallers } from './forwarded-callers.ts';

/** The header in which AWS's Application Load Balancer in verify mode passes on the certificate of its client. */
export const leafHeader = `${forwardedPrefix}clientcert-leaf`;
/** The header in which it passes on a whole chain that it has not verified, in passthrough mode. */
const chainHeader = `${forwardedPrefix}clientcert`;

/** The health service, which the load balancer calls without a certificate. */
const health = /^\/grpc\.health\.v1\./;

export interface ForwardedDeps {
  readonly certificates: ForwardedCertificates;
  readonly callers: ForwardedCallers;
  readonly log: Log;
}

export class ForwardedAuthenticator implements Authenticator {
  readonly #deps: ForwardedDeps;
  /** The number of calls that were refused because of the certificate in their headers. */
  refusedCertificates = 0;

  constructor(deps: ForwardedDeps) {
    this.#deps = deps;
  }

  isOpen(path: string): boolean {
    return health.test(path);
  }

  connectionOf(socket: object | undefined, headers: Headers): Connection {
    const shared = connectionOf(socket);
    if (shared === undefined) throw connectionClosed;
    const value = headers[leafHeader];
    if (value === undefined && forwardedHeader(headers) === undefined) return shared;
    const { certificates, callers } = this.#deps;
    // Node joins the values of two headers of one name by a comma, which no certificate has.
    if (typeof value !== 'string' || value.includes(',')) throw this.#refuse(shared, wrongHeaders(headers));
    const verified = certificates.peerOf(value);
    if (verified instanceof HoldfastError) throw this.#refuse(shared, verified);
    return callers.callerOf(shared, verified);
  }

  #refuse({ address }: Connection, error: HoldfastError): HoldfastError {
    this.refusedCertificates++;
    const { code, reason, message } = error;
    this.#deps.log.warn({ listener: 'alb', peer: address, code, reason }, `a call was refused: ${message}`);
    return error;
  }
}

function wrongHeaders(headers: Headers): HoldfastError {
  if (chainHeader in headers && !(leafHeader in headers)) {
    return refused(
      `The load balancer passes on certificates that it has not verified ('${chainHeader}').`,
      'Set mutual TLS of the load balancer’s listener to verify mode, with a trust store.',
    );
  }
  return leafHeader in headers
    ? refused(
        `The call has the header '${leafHeader}' more than once.`,
        'Call the load balancer without this header.',
      )
    : refused(
        `The call has the header '${forwardedHeader(headers)}' and not '${leafHeader}'.`,
        'Let the load balancer pass on its headers under their own names.',
      );
}

function refused(message: string, help: string): HoldfastError {
  return new HoldfastError('UNAUTHENTICATED', 'CERTIFICATE_REFUSED', message, { help });
}

/** The error for calls without a certificate. */
export const noForwardedCertificate = new HoldfastError(
  'UNAUTHENTICATED',
  'NO_CERTIFICATE',
  `The load balancer passed on no client certificate (the header '${leafHeader}').`,
  {
    help: 'Set mutual TLS of the load balancer’s listener to verify mode; only health checks need no certificate.',
  },
);
