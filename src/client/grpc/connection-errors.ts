/** Converts connection errors to HoldfastErrors with a readable cause and a help text. */
import { HoldfastError } from '../../core/errors.ts';

const helpHttp = 'Is that the HTTP port? Use the gRPC port; `holdfast serve` prints both.';
const helpRunning = 'Is `holdfast dev` (or `holdfast serve`) running there? Check the address and the port.';
const helpIssue = 'Create one with `holdfast certs issue <name>` and configure its files in this client.';

/** Returns the error for a server that cannot be reached; `why` completes its message. */
export function unreachable(address: string, why: string, help: string = helpRunning): HoldfastError {
  return new HoldfastError(
    'UNAVAILABLE',
    'UNREACHABLE',
    `No Holdfast server answers at ${address}: ${why}.`,
    {
      help,
    },
  );
}

/** Returns the error for a server that speaks HTTP but not gRPC, such as the HTTP listener of a Holdfast server. */
export function notGrpc(address: string, how = ''): HoldfastError {
  return unreachable(address, `the server there speaks HTTP but not gRPC${how}`, helpHttp);
}

/** Returns the error for a server that sent bytes which no HTTP server sends first. */
export function otherProtocol(address: string): HoldfastError {
  return unreachable(address, 'the program there speaks another protocol', helpRunning);
}

function refused(
  message: string,
  help: string,
  reason: 'CERTIFICATE_REFUSED' | 'CERTIFICATE_EXPIRED' = 'CERTIFICATE_REFUSED',
): HoldfastError {
  return new HoldfastError('UNAUTHENTICATED', reason, message, { help });
}

const network: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'the host name does not exist',
  EAI_AGAIN: 'the host name cannot be resolved now',
  EHOSTUNREACH: 'there is no route to the host',
  ENETUNREACH: 'there is no route to the network',
  ETIMEDOUT: 'it does not answer in time',
  ECONNRESET: 'it closed the connection',
};

const unknownAuthority =
  /SELF_SIGNED_CERT|UNABLE_TO_GET_ISSUER_CERT|UNABLE_TO_VERIFY_LEAF|CERT_UNTRUSTED|CERT_SIGNATURE_FAILURE/;
const notTls = /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|UNKNOWN_PROTOCOL|HTTP_REQUEST/;
const certificateRequired = /CERTIFICATE_REQUIRED/;
const certificateRefused =
  /ALERT_(?:BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_\w+|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED|DECRYPT_ERROR)|HANDSHAKE_FAILURE/;

/** Converts an error of node:net or node:tls that a connection to `address` failed with. */
export function connectionError(address: string, host: string, error: NodeJS.ErrnoException): HoldfastError {
  const code = error.code ?? '';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return refused(
      `The server's certificate is not for '${host}': ${error.message}`,
      'Use a host name that the certificate contains, or issue a certificate with `holdfast certs issue --host`.',
    );
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    const when = code === 'CERT_HAS_EXPIRED' ? 'has expired' : 'is not valid yet';
    return refused(
      `The certificate of the server at ${address} ${when}.`,
      'Issue a new one with `holdfast certs issue`; the server loads it without a restart. Also check the clock of this machine.',
      'CERTIFICATE_EXPIRED',
    );
  }
  if (unknownAuthority.test(code)) {
    return refused(
      `The certificate of the server at ${address} was signed by an authority that this client does not trust.`,
      'Configure the `ca.crt` of the authority that signed it (`holdfast certs init` created it, in the folder of its `--dir`).',
    );
  }
  if (certificateRequired.test(code)) {
    return new HoldfastError(
      'UNAUTHENTICATED',
      'NO_CERTIFICATE',
      'The server asks for a client certificate, and none was given.',
      { help: helpIssue },
    );
  }
  if (certificateRefused.test(code)) {
    const alert = (/ALERT_(\w+)/.exec(code)?.[1] ?? code).toLowerCase().replaceAll('_', ' ');
    const reason = alert === 'certificate expired' ? 'CERTIFICATE_EXPIRED' : 'CERTIFICATE_REFUSED';
    return refused(
      `The server at ${address} refuses this client's certificate: ${alert}.`,
      helpIssue,
      reason,
    );
  }
  if (notTls.test(code)) return unreachable(address, 'the server there does not use TLS', helpNoTls);
  return unreachable(address, network[code] ?? error.message);
}

const helpNoTls = 'Write holdfast+plaintext://host:port for a server without TLS, or check the port.';
/** The help text for a plaintext connection to a server that expects TLS. */
export const helpTls = 'Use certificates instead of plaintext (`holdfast certs issue`), or check the port.';
