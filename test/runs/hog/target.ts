/** The server that an attack is aimed at, as the attack sees it, and the tally of the attack. */
import { readFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import type { CertificateFiles } from '../../../src/tls/load.ts';
import { type RawSession, rawSession } from '../../fixtures/raw-grpc.ts';
import { Tally } from './tally.ts';

/** The files that a client connects with. A stranger may have no certificate. */
export type ClientFiles = Pick<CertificateFiles, 'ca'> & Partial<CertificateFiles>;

export interface TargetOptions {
  readonly grpcPort: number;
  readonly httpPort: number;
  /** The certificates that connections use in turn. */
  readonly files: readonly ClientFiles[];
  /** The ids of tasks that the store has. */
  readonly taskIds: readonly string[];
  readonly seconds: number;
}

export type PortName = 'grpc' | 'http';

const host = '127.0.0.1';
/** Connections that are opened at the same moment: a server answers its handshakes one after the other. */
const openingAtOnce = 32;

export class Target {
  readonly options: TargetOptions;
  readonly #untilMs: number;
  #nextFiles = 0;
  #opening = 0;
  readonly tally = new Tally();

  constructor(options: TargetOptions) {
    this.options = options;
    this.#untilMs = performance.now() + options.seconds * 1_000;
  }

  get isOver(): boolean {
    return performance.now() >= this.#untilMs;
  }

  get taskIds(): readonly string[] {
    return this.options.taskIds;
  }

  /** Runs `step` again and again until the attack's time has passed, with a pause between two steps. */
  async repeat(step: () => unknown, pauseMs = 10): Promise<void> {
    while (!this.isOver) {
      await step();
      await sleep(pauseMs);
    }
  }

  /** Runs as many loops as given at the same time: each calls `loop` again and again, until the attack's time has passed. */
  async atOnce(count: number, loop: (index: number) => Promise<void>): Promise<void> {
    const one = async (index: number): Promise<void> => {
      while (!this.isOver) {
        await loop(index).catch(() => {});
        // A loop whose call is refused at once must leave the event loop some time.
        await sleep(0);
      }
    };
    await Promise.race([
      Promise.all(Array.from({ length: count }, (_, index) => one(index))),
      sleep(this.options.seconds * 1_000),
    ]);
  }

  /** The certificate files of the next connection. */
  files(): ClientFiles {
    const { files } = this.options;
    return files[this.#nextFiles++ % files.length] as ClientFiles;
  }

  address(port: PortName): string {
    return `${host}:${this.portOf(port)}`;
  }

  portOf(port: PortName): number {
    return port === 'grpc' ? this.options.grpcPort : this.options.httpPort;
  }

  /** Connects by gRPC through Node's HTTP/2. Waits while many connections are being opened. */
  async session(port: PortName = 'grpc'): Promise<RawSession> {
    return rawSession(this.address(port), this.files());
  }

  /** Opens a connection with TLS. Resolves with undefined if it is refused. */
  async tls(port: PortName, more: ConnectionOptions = {}): Promise<TLSSocket | undefined> {
    while (this.#opening >= openingAtOnce && !this.isOver) await sleep(5);
    const read = (file: string | undefined): Buffer | undefined => (file && pem(file)) || undefined;
    const { ca, cert, key } = this.files();
    const ALPNProtocols = port === 'grpc' ? ['h2'] : ['http/1.1'];
    const options = { host, port: this.portOf(port), ca: read(ca), cert: read(cert), key: read(key) };
    const socket = connectTls({ ALPNProtocols, ...options, ...more });
    socket.on('error', () => {});
    this.#opening++;
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('secureConnect', () => resolve(true)).once('close', () => resolve(false));
      setTimeout(() => resolve(false), 5_000).unref();
    });
    this.#opening--;
    if (isOpen) return socket;
    socket.destroy();
    return undefined;
  }

  /** Opens a connection without a handshake, from one of several addresses of this machine. */
  tcp(port: PortName, index: number): Socket {
    const localAddress = `127.0.1.${1 + (index % 8)}`;
    const socket = connectTcp({ host, port: this.portOf(port), localAddress });
    socket.on('error', () => {});
    return socket;
  }
}

const pems = new Map<string, Buffer>();
function pem(file: string): Buffer {
  const bytes = pems.get(file) ?? readFileSync(file);
  pems.set(file, bytes);
  return bytes;
}
