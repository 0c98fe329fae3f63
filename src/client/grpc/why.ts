/** Connection errors in sentences. */
import { HoldfastError } from '../../core/errors.ts';

const helpHttp = 'Is that the HTTP port? Give the gRPC port; `holdfast serve` tells both.';
const helpRunning = 'Is `holdfast dev` (or `holdfast serve`) running there? Check the address and the port.';
const helpIssue = 'Make one with `holdfast certs issue <name>` and give its files to this client.';

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

/** Something else answers there, such as the HTTP listener of a Holdfast server. */
export function noGrpc(address: string, how = ''): HoldfastError {
  return unreachable(address, `what answers there speaks HTTP and no gRPC${how}`, helpHttp);
}

function refused(message: string, help: string): HoldfastError {
  return new HoldfastError('UNAUTHENTICATED', 'CERTIFICATE_REFUSED', message, { help });
}

const network: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'no machine has that name',
  EAI_AGAIN: 'the name cannot be looked up now',
  EHOSTUNREACH: 'there is no way to that machine',
  ENETUNREACH: 'there is no way to that network',
  ETIMEDOUT: 'it does not answer in time',
  ECONNRESET: 'it closed the connection',
};

const unknownAuthority =
  /SELF_SIGNED_CERT|UNABLE_TO_GET_ISSUER_CERT|UNABLE_TO_VERIFY_LEAF|CERT_UNTRUSTED|CERT_SIGNATURE_FAILURE/;
const notTls = /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|UNKNOWN_PROTOCOL|HTTP_REQUEST/;
const wantsCertificate = /CERTIFICATE_REQUIRED/;
const refusesCertificate =
  /ALERT_(?:BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_\w+|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED|DECRYPT_ERROR)|HANDSHAKE_FAILURE/;

/** Of an error of node:net or node:tls. */
export function whyNot(address: string, host: string, error: NodeJS.ErrnoException): HoldfastError {
  const code = error.code ?? '';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return refused(
      `The server's certificate is not for '${host}': ${error.message}`,
      'Use a name that the certificate carries, or issue one with `holdfast certs issue --host`.',
    );
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    const when = code === 'CERT_HAS_EXPIRED' ? 'has expired' : 'is not valid yet';
    return refused(
      `The certificate of the server at ${address} ${when}.`,
      'Issue a new one with `holdfast certs issue`; the server takes it up by itself. Or check this clock.',
    );
  }
  if (unknownAuthority.test(code)) {
    return refused(
      `The certificate of the server at ${address} comes from an authority that this client does not know.`,
      'Give this client the `ca.crt` of the authority that signed it (`holdfast certs issue` names it).',
    );
  }
  if (wantsCertificate.test(code)) {
    return new HoldfastError(
      'UNAUTHENTICATED',
      'NO_CERTIFICATE',
      'The server asks for a client certificate, and none was given.',
      { help: helpIssue },
    );
  }
  if (refusesCertificate.test(code)) {
    const what = (/ALERT_(\w+)/.exec(code)?.[1] ?? code).toLowerCase().replaceAll('_', ' ');
    return refused(`The server at ${address} refuses this client's certificate: ${what}.`, helpIssue);
  }
  if (notTls.test(code)) return unreachable(address, 'what listens there speaks no TLS', helpNoTls);
  return unreachable(address, network[code] ?? error.message);
}

const helpNoTls = 'Write holdfast+plaintext://host:port for a server without TLS, or check the port.';
export const helpTls = 'Give certificates instead of plaintext (`holdfast certs issue`), or check the port.';
