/**
 * Why no connection comes about. grpc-js tells of a failed connection in a string, and of one that the server ends
 * after the handshake (as TLS 1.3 does for want of a certificate) nothing at all; so it is tried once more, by hand.
 */
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { HoldfastError } from '../../core/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Target } from './address.ts';
import type { ClientCertificates } from './tls.ts';
import { helpTls, noGrpc, unreachable, whyNot } from './why.ts';

const tryMs = 2_000;
/** A refusal arrives within a round trip of the handshake. */
const afterwardsMs = 300;
const rememberMs = 1_000;
const http2Preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0';
const tlsAlert = 0x15;
/** How an answer over HTTP/1.1 begins; over HTTP/2 grpc-js reads the answer itself. */
const http1 = Buffer.from('HTTP/1.');

/** One attempt at a time, its finding kept for a second: hundreds of calls fail at once. */
export class Diagnosis {
  readonly #address: string;
  readonly #target: Target;
  readonly #certificates: () => ClientCertificates | undefined;
  readonly #clock: Clock;
  #found: Promise<HoldfastError> | undefined;
  #foundAtMs = 0;

  constructor(
    address: string,
    target: Target,
    certificates: () => ClientCertificates | undefined,
    clock: Clock,
  ) {
    this.#address = address;
    this.#target = target;
    this.#certificates = certificates;
    this.#clock = clock;
  }

  find(): Promise<HoldfastError> {
    const nowMs = this.#clock.monotonic();
    if (this.#found === undefined || nowMs - this.#foundAtMs > rememberMs) {
      this.#foundAtMs = nowMs;
      this.#found = this.#try();
    }
    return this.#found;
  }

  #try(): Promise<HoldfastError> {
    const { host, port } = this.#target;
    const certificates = this.#certificates();
    return new Promise((resolve) => {
      const socket: Socket =
        certificates === undefined
          ? connectPlain({ host, port })
          : connectTls({
              ...certificates,
              host,
              port,
              ALPNProtocols: ['h2'],
              ...(isIP(host) === 0 ? { servername: host } : {}),
            });
      let connected = false;
      const cancel: (() => void)[] = [];
      const finish = (error: HoldfastError): void => {
        for (const stop of cancel) stop();
        socket.destroy();
        resolve(error);
      };
      const lost = (): HoldfastError => unreachable(this.#address, 'the connection was lost', helpLost);
      const hungUp = (): HoldfastError => {
        if (certificates === undefined) return this.#wantsTls();
        return connected ? unreachable(this.#address, hangsUp, helpCertificate) : lost();
      };
      socket.on('error', (error: NodeJS.ErrnoException) =>
        finish(error.code === 'ECONNRESET' ? hungUp() : whyNot(this.#address, host, error)),
      );
      cancel.push(this.#clock.after(tryMs, () => finish(this.#silent(connected))));
      socket.once(certificates === undefined ? 'connect' : 'secureConnect', () => {
        connected = true;
        socket.write(http2Preface);
        cancel.push(this.#clock.after(afterwardsMs, () => finish(lost())));
      });
      socket.once('data', (bytes: Buffer) => {
        if (bytes.subarray(0, http1.length).equals(http1)) return finish(noGrpc(this.#address));
        // A server that talks has taken the certificate.
        finish(certificates === undefined && bytes[0] === tlsAlert ? this.#wantsTls() : lost());
      });
      socket.once('close', () => finish(hungUp()));
    });
  }

  #silent(connected: boolean): HoldfastError {
    return unreachable(this.#address, connected ? 'it says nothing' : 'it does not answer in time');
  }

  #wantsTls(): HoldfastError {
    return unreachable(this.#address, 'what listens there takes no plaintext', helpTls);
  }
}

const hangsUp =
  'it hangs up right after the handshake, as a server does that refuses the certificate of its client';
const helpCertificate =
  'Give this client a certificate from the authority that the server trusts (`holdfast certs issue`).';
const helpLost = 'It may be restarting. Try again; a submit with the same idempotency key is safe to repeat.';
