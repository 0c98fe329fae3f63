/** Reads from a certificate the facts that decide whether it may stand in a chain, which Node does not show. */
import type { X509Certificate } from 'node:crypto';

/** The library that reads the extensions of a certificate. Only a listener for a load balancer loads it. */
export type X509Library = typeof import('@peculiar/x509');

export async function loadX509(): Promise<X509Library> {
  // The library uses decorators, whose metadata must be there before it is loaded.
  await import('reflect-metadata');
  return import('@peculiar/x509');
}

export interface CertificateFacts {
  readonly certificate: X509Certificate;
  readonly fromMs: number;
  readonly untilMs: number;
  /** How many authorities may stand below this one. Undefined: any number. */
  readonly pathLength: number | undefined;
  /** True if its key may sign what a TLS client sends; a certificate without usages is for every use. */
  readonly maySignHandshakes: boolean;
  /** True if it is for clients, or names no purpose. */
  readonly isForClients: boolean;
  /** The code of OpenSSL for a fault that lies in the certificate alone, or undefined. */
  readonly fault: string | undefined;
}

const clientUse = '1.3.6.1.5.5.7.3.2';
const nameConstraints = '2.5.29.30';

/**
 * The extensions that may be critical: key usage, alternative name, basic constraints, CRL points, policies with their
 * mappings and constraints, and extended key usage.
 */
const understood: ReadonlySet<string> = new Set(
  [15, 17, 19, 31, 32, 33, 36, 37, 54].map((number) => `2.5.29.${number}`),
);

/** Signatures by these digests prove nothing: other certificates with the same digest can be made. */
const weakDigests = /^(MD\d|SHA-?1)$/i;
const curves: ReadonlySet<string> = new Set(['prime256v1', 'secp384r1', 'secp521r1']);
const leastRsaBits = 2_048;

export function factsOf(
  certificate: X509Certificate,
  { X509Certificate: Parsed, ...types }: X509Library,
): CertificateFacts {
  const parsed = new Parsed(certificate.raw);
  const constraints = parsed.getExtension(types.BasicConstraintsExtension);
  const usages = parsed.getExtension(types.KeyUsagesExtension)?.usages;
  const { digitalSignature, keyAgreement } = types.KeyUsageFlags;
  const purposes = parsed.getExtension(types.ExtendedKeyUsageExtension)?.usages;
  return {
    certificate,
    fromMs: certificate.validFromDate.getTime(),
    untilMs: certificate.validToDate.getTime(),
    pathLength: constraints?.pathLength,
    maySignHandshakes: usages === undefined || (usages & (digitalSignature | keyAgreement)) !== 0,
    isForClients: purposes === undefined || purposes.map(String).includes(clientUse),
    fault: faultOf(certificate, parsed),
  };
}

function faultOf(
  certificate: X509Certificate,
  { extensions, signatureAlgorithm }: InstanceType<X509Library['X509Certificate']>,
): string | undefined {
  // Constraints of names are not evaluated here, and a chain whose constraints are not evaluated must not be trusted.
  if (extensions.some(({ type }) => type === nameConstraints)) return 'SUBTREE_MINMAX';
  if (extensions.some(({ type, critical }) => critical && !understood.has(type)))
    return 'UNHANDLED_CRITICAL_EXTENSION';
  if (new Set(extensions.map(({ type }) => type)).size < extensions.length) return 'INVALID_EXTENSION';
  if (!isStrongKey(certificate)) return 'EE_KEY_TOO_SMALL';
  const digest = (signatureAlgorithm as { readonly hash?: { readonly name?: string } }).hash?.name ?? '';
  return weakDigests.test(digest) && !certificate.checkIssued(certificate) ? 'CA_MD_TOO_WEAK' : undefined;
}

function isStrongKey({ publicKey }: X509Certificate): boolean {
  const { asymmetricKeyType, asymmetricKeyDetails } = publicKey;
  switch (asymmetricKeyType) {
    case 'rsa':
    case 'rsa-pss':
      return (asymmetricKeyDetails?.modulusLength ?? 0) >= leastRsaBits;
    case 'ec':
      return curves.has(asymmetricKeyDetails?.namedCurve ?? '');
    default:
      return asymmetricKeyType === 'ed25519' || asymmetricKeyType === 'ed448';
  }
}
