/**
 * Verifies the certificates of clients that did not come by a TLS handshake with this server, by the rules of OpenSSL,
 * which verifies all others: the chain, the times, the purposes and the strength of the keys. Node verifies a chain in a
 * handshake only.
 */
import type { X509Certificate } from 'node:crypto';
import { type CertificateFacts, factsOf, type X509Library } from './certificate-facts.ts';

/** The longest chain from a client's certificate to the root, without these two. */
const mostBetween = 6;

/** The time in which a whole chain is valid. */
export interface ValidTime {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** The code of OpenSSL for a refused certificate. */
export type RefusalCode = string;

export class ClientChains {
  readonly #library: X509Library;
  readonly #authorities: readonly CertificateFacts[];

  /** `authorities` are the roots and, since a load balancer passes on no chain, all authorities between. */
  constructor(authorities: readonly X509Certificate[], library: X509Library) {
    this.#library = library;
    this.#authorities = authorities.map((one) => factsOf(one, library));
  }

  /** Returns the time in which the certificate's chain is valid, or why it is refused. */
  verify(certificate: X509Certificate, nowMs: number): ValidTime | RefusalCode {
    const leaf = this.#factsOf(certificate);
    if (typeof leaf === 'string') return leaf;
    if (!leaf.isForClients || !leaf.maySignHandshakes) return 'INVALID_PURPOSE';
    return this.#complete([leaf], nowMs);
  }

  #factsOf(certificate: X509Certificate): CertificateFacts | RefusalCode {
    try {
      return factsOf(certificate, this.#library);
    } catch {
      return 'INVALID_EXTENSION';
    }
  }

  /** Completes a chain up to a root, by the first of the authorities that lead there. */
  #complete(chain: readonly CertificateFacts[], nowMs: number): ValidTime | RefusalCode {
    const last = chain.at(-1) as CertificateFacts;
    const { certificate } = last;
    if (certificate.checkIssued(certificate))
      return this.#isTrusted(last) ? judge(chain, nowMs) : untrusted(chain);
    let refusal: RefusalCode = 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY';
    if (chain.length > mostBetween + 1) return 'CERT_CHAIN_TOO_LONG';
    for (const issuer of this.#authorities) {
      if (chain.includes(issuer) || !certificate.checkIssued(issuer.certificate)) continue;
      const completed = certificate.verify(issuer.certificate.publicKey)
        ? this.#complete([...chain, issuer], nowMs)
        : 'CERT_SIGNATURE_FAILURE';
      if (typeof completed !== 'string') return completed;
      refusal = completed;
    }
    return refusal;
  }

  #isTrusted({ certificate }: CertificateFacts): boolean {
    return this.#authorities.some((one) => one.certificate.fingerprint256 === certificate.fingerprint256);
  }
}

function untrusted(chain: readonly CertificateFacts[]): RefusalCode {
  return chain.length === 1 ? 'DEPTH_ZERO_SELF_SIGNED_CERT' : 'SELF_SIGNED_CERT_IN_CHAIN';
}

/** Judges a whole chain, whose signatures are right: the client's certificate first, the root last. */
function judge(chain: readonly CertificateFacts[], nowMs: number): ValidTime | RefusalCode {
  for (const [i, facts] of chain.entries()) {
    if (facts.fault !== undefined) return facts.fault;
    if (i > 0) {
      if (!facts.certificate.ca) return 'INVALID_CA';
      if (!facts.isForClients) return 'INVALID_PURPOSE';
      if (between(chain, i) > (facts.pathLength ?? mostBetween)) return 'PATH_LENGTH_EXCEEDED';
    }
    if (nowMs < facts.fromMs) return 'CERT_NOT_YET_VALID';
    if (nowMs > facts.untilMs) return 'CERT_HAS_EXPIRED';
  }
  return {
    fromMs: Math.max(...chain.map(({ fromMs }) => fromMs)),
    untilMs: Math.min(...chain.map(({ untilMs }) => untilMs)),
  };
}

/** Counts the authorities between a client's certificate and the authority `i`; one that issued itself does not count. */
function between(chain: readonly CertificateFacts[], i: number): number {
  return chain.slice(1, i).filter(({ certificate: { subject, issuer } }) => subject !== issuer).length;
}
