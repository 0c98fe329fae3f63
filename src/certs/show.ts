import { readFileSync } from 'node:fs';
import { badCertificate, certificatesOf } from '../tls/load.ts';

export interface ShownCertificate {
  readonly subject: string;
  readonly issuer: string;
  /** The subject alternative names, such as `DNS:localhost`, `IP Address:127.0.0.1` or `URI:spiffe://…`. */
  readonly names: readonly string[];
  /** The serial number in hexadecimal, as `revoked.serials` of an access policy lists it. */
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** The SHA-256 fingerprint of the certificate. */
  readonly fingerprint: string;
  readonly authority: boolean;
}

/** Reads the first certificate of a PEM file. Throws BAD_CERTIFICATE if it cannot be read. */
export function show(file: string): ShownCertificate {
  let pem: Buffer;
  try {
    pem = readFileSync(file);
  } catch (thrown) {
    throw badCertificate(`The file '${file}' cannot be read.`, 'Name a PEM certificate.', thrown);
  }
  const [certificate] = certificatesOf(pem, file);
  if (certificate === undefined) throw badCertificate(`The file '${file}' holds no certificate.`);
  return {
    subject: certificate.subject.replaceAll('\n', ', '),
    issuer: certificate.issuer.replaceAll('\n', ', '),
    names: certificate.subjectAltName?.split(', ') ?? [],
    serial: certificate.serialNumber,
    notBeforeMs: certificate.validFromDate.getTime(),
    notAfterMs: certificate.validToDate.getTime(),
    fingerprint: certificate.fingerprint256,
    authority: certificate.ca,
  };
}
