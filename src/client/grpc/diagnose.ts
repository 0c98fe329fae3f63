/**
 * Finds out why a connection fails. grpc-js reports a failed connection only as a string, and reports nothing if the
 * server closes the connection after the handshake, as TLS 1.3 servers do for a missing certificate. This module
 * therefore opens one more connection with node:net or node:tls and reads the cause from it.
 */
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { HoldfastError } from '../../core/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { HostPort } from './address.ts';
import { connectionError, helpTls, notGrpc, otherProtocol, unreachable } from './connection-errors.ts';
import { speaksTls } from './speaks-tls.ts';
import type { ClientCertificates } from './tls.ts';

const connectTimeoutMs = 2_000;
/** The time to wait for the server's refusal after the TLS handshake; a refusal arrives within one round trip. */
const refusalWaitMs = 300;
/** The diagnosis of a failed connection is reused for this time. */
const cacheMs = 1_000;
const http2Preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0';
const tlsAlert = 0x15;
/** The first bytes of an HTTP/1.1 answer. grpc-js itself recognises an HTTP/2 answer without gRPC. */
const http1 = Buffer.from('HTTP/1.');

/**
 * Finds out why connections to one server fail. It opens one connection at a time and reuses the result for 1 s,
 * because many calls fail at once.
 */
export class Diagnosis {
  readonly #address: string;
  readonly #target: HostPort;
  readonly #certificates: () => ClientCertificates | undefined;
  readonly #clock: Clock;
  #diagnosis: Promise<HoldfastError> | undefined;
  #diagnosedAtMs = 0;

  constructor(
    address: string,
    target: HostPort,
    certificates: () => ClientCertificates | undefined,
    clock: Clock,
  ) {
    this.#address = address;
    this.#target = target;
    this.#certificates = certificates;
    this.#clock = clock;
  }

  /** Returns the error that describes why the server cannot be reached. */
  find(): Promise<HoldfastError> {
    const nowMs = this.#clock.monotonic();
    if (this.#diagnosis === undefined || nowMs - this.#diagnosedAtMs > cacheMs) {
      this.#diagnosedAtMs = nowMs;
      this.#diagnosis = this.#tryToConnect();
    }
    return this.#diagnosis;
  }

  #tryToConnect(): Promise<HoldfastError> {
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
      const finish = (error: HoldfastError | Promise<HoldfastError>): void => {
        for (const stop of cancel) stop();
        socket.destroy();
        resolve(error);
      };
      const lost = (): HoldfastError => unreachable(this.#address, 'the connection was lost', helpLost);
      const hungUp = (): HoldfastError | Promise<HoldfastError> => {
        if (certificates === undefined) return this.#hungUpOnPlaintext();
        return connected
          ? unreachable(this.#address, closesAfterHandshake, helpCertificate)
          : unreachable(this.#address, closesAtOnce, helpNobody);
      };
      socket.on('error', (error: NodeJS.ErrnoException) =>
        finish(error.code === 'ECONNRESET' ? hungUp() : connectionError(this.#address, host, error)),
      );
      cancel.push(this.#clock.after(connectTimeoutMs, () => finish(this.#noAnswer(connected))));
      socket.once(certificates === undefined ? 'connect' : 'secureConnect', () => {
        connected = true;
        socket.write(http2Preface);
        cancel.push(this.#clock.after(refusalWaitMs, () => finish(this.#noAnswer(true))));
      });
      socket.once('data', (bytes: Buffer) => {
        if (bytes.subarray(0, http1.length).equals(http1)) return finish(notGrpc(this.#address));
        if (certificates === undefined && bytes[0] === tlsAlert) return finish(this.#expectsTls());
        // A server that sends data has accepted the certificate.
        finish(isHttp2(bytes) ? lost() : otherProtocol(this.#address));
      });
      socket.once('close', () => finish(hungUp()));
    });
  }

  #noAnswer(connected: boolean): HoldfastError {
    if (!connected) return unreachable(this.#address, 'it does not answer in time');
    return unreachable(this.#address, 'it accepts the connection but sends nothing', helpSilent);
  }

  /**
   * A server with TLS closes a plaintext connection without a byte, and so does a balancer that reaches no server. A TLS
   * handshake tells them apart.
   */
  async #hungUpOnPlaintext(): Promise<HoldfastError> {
    if (await speaksTls(this.#target, this.#clock)) return this.#expectsTls();
    return unreachable(this.#address, closesAtOnce, helpNobody);
  }

  #expectsTls(): HoldfastError {
    return unreachable(this.#address, 'the server there does not accept plaintext', helpTls);
  }
}

/** Returns true if the bytes begin with a SETTINGS frame, as the bytes of every HTTP/2 server do. */
function isHttp2(bytes: Buffer): boolean {
  return bytes.length >= 9 && bytes[3] === settingsFrame && bytes.readUInt32BE(5) === 0;
}

const settingsFrame = 4;
const closesAtOnce = 'it accepts the connection and closes it at once';
const helpNobody =
  'A load balancer or a port mapping with no running server behind it does this. Check that `holdfast serve` runs there and listens on that port.';
const helpSilent =
  'Its process may be stopped or stalled, or another program listens there. Check the address and the port.';
const closesAfterHandshake =
  "it closes the connection right after the handshake: it refuses this client's certificate, or it is a load balancer with no running server behind it";
const helpCertificate =
  'Give this client a certificate from the authority that the server trusts (`holdfast certs issue`), and check that a server runs behind the balancer.';
const helpLost = 'It may be restarting. Try again; a submit with the same idempotency key is safe to repeat.';
