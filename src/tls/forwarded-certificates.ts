/** Verifies the client certificates that a load balancer passes on in a header. */
import { hash, X509Certificate } from 'node:crypto';
import { asHoldfastError, HoldfastError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { loadX509, type X509Library } from './certificate-facts.ts';
import { ClientChains, type ValidTime } from './client-chains.ts';
import { certificatesOf, loadAuthorities } from './load.ts';
import { type Peer, peerOfCertificate, refusedCertificate } from './peer.ts';
import { watchFiles } from './watch-files.ts';

/** A peer whose certificate was verified. */
export interface VerifiedPeer {
  readonly peer: Peer;
  /** The SHA-256 of the header's value, a name of this certificate. */
  readonly digest: string;
}

interface Verified extends VerifiedPeer, ValidTime {}

/** One certificate in PEM, as a load balancer of AWS writes it: nothing before it and nothing behind it but line ends. */
const onePem = /^-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+\n-----END CERTIFICATE-----\n*$/;

export class ForwardedCertificates {
  readonly #clock: Clock;
  readonly #library: X509Library;
  #chains: ClientChains;
  /** The peers of certificates that were verified before, by digest, the oldest first. */
  readonly #verified = new Map<string, Verified>();
  readonly #stopWatching: () => void;

  /** Reads the authorities. Throws BAD_CERTIFICATE. A changed file is read again; a wrong one changes nothing. */
  static async open(
    file: string,
    deps: { readonly clock: Clock; readonly log: Log },
  ): Promise<ForwardedCertificates> {
    return new ForwardedCertificates(file, await loadX509(), deps);
  }

  private constructor(
    file: string,
    library: X509Library,
    { clock, log }: { readonly clock: Clock; readonly log: Log },
  ) {
    this.#clock = clock;
    this.#library = library;
    this.#chains = this.#load(file);
    let loggedMessage = '';
    this.#stopWatching = watchFiles(clock, [file], () => {
      try {
        this.#chains = this.#load(file);
        this.#verified.clear();
        loggedMessage = '';
        return true;
      } catch (thrown) {
        const { message } = asHoldfastError(thrown);
        // The file is checked every 2 s, but the same fault is logged once.
        if (message !== loggedMessage) log.error({ file }, `the old authorities stay in use: ${message}`);
        loggedMessage = message;
        return false;
      }
    });
  }

  /**
   * Returns the peer that the value of a header names, or UNAUTHENTICATED with the reason CERTIFICATE_REFUSED or
   * CERTIFICATE_EXPIRED. The value is a certificate in PEM whose characters are percent-encoded, but `+`, `=` and `/` as
   * they are.
   */
  peerOf(value: string): VerifiedPeer | HoldfastError {
    if (value.length > limits.forwardedCertificateChars) return tooLong;
    const digest = hash('sha256', value, 'base64url');
    const nowMs = this.#clock.now();
    const known = this.#verified.get(digest);
    if (known !== undefined && nowMs >= known.fromMs && nowMs <= known.untilMs) return known;
    const certificate = decode(value);
    if (certificate === undefined) return unreadable;
    const valid = this.#chains.verify(certificate, nowMs);
    if (typeof valid === 'string') return refusedCertificate(valid);
    const peer = peerOfCertificate(certificate.toLegacyObject());
    if (peer instanceof HoldfastError) return peer;
    const verified = { ...valid, peer, digest };
    this.#keep(verified);
    return verified;
  }

  stop(): void {
    this.#stopWatching();
  }

  #load(file: string): ClientChains {
    return new ClientChains(certificatesOf(loadAuthorities(file, this.#clock.now()), file), this.#library);
  }

  #keep(verified: Verified): void {
    this.#verified.delete(verified.digest);
    this.#verified.set(verified.digest, verified);
    if (this.#verified.size <= limits.forwardedCertificates) return;
    const [oldest] = this.#verified.keys();
    this.#verified.delete(oldest as string);
  }
}

function decode(value: string): X509Certificate | undefined {
  try {
    // Unlike the decoders of forms, this one leaves a plus as it is.
    const pem = decodeURIComponent(value).replaceAll('\r\n', '\n');
    return onePem.test(pem) ? new X509Certificate(pem) : undefined;
  } catch {
    return undefined;
  }
}

const help =
  'The load balancer must verify clients (mutual TLS in verify mode) and pass on their certificates.';

const unreadable = new HoldfastError(
  'UNAUTHENTICATED',
  'CERTIFICATE_REFUSED',
  'The certificate in the header of the load balancer cannot be read: it must be one certificate in URL-encoded PEM.',
  { help },
);

const tooLong = new HoldfastError(
  'UNAUTHENTICATED',
  'CERTIFICATE_REFUSED',
  `The certificate in the header of the load balancer has more than ${limits.forwardedCertificateChars.toLocaleString('en')} characters.`,
  { help: 'Issue a smaller one: with fewer names, or with a key of an elliptic curve.' },
);
