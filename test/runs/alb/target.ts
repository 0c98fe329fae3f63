/** A target of the load balancer: its health, and the HTTP/2 connections to it, which the calls of all clients share. */
import { readFileSync } from 'node:fs';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';

const mostCalls = 100;
const checkEveryMs = 250;
/** The number of health checks in a row that a target must pass. */
const healthyThreshold = 2;
const checkMs = 1_000;
/** The request of a health check: an empty gRPC message. */
const emptyMessage = Buffer.alloc(5);

interface Connection {
  readonly session: ClientHttp2Session;
  calls: number;
  isLeaving: boolean;
}

export class Target {
  readonly port: number;
  readonly #ca: Buffer;
  readonly #connections = new Set<Connection>();
  #isHealthy = false;
  #isRegistered = true;

  constructor(port: number, caFile: string) {
    this.port = port;
    this.#ca = readFileSync(caFile);
  }

  get isInService(): boolean {
    return this.#isRegistered && this.#isHealthy;
  }

  deregister(): void {
    this.#isRegistered = false;
    this.#isHealthy = false;
  }

  /** Registers the target, and resolves once it has passed its health checks. */
  async untilHealthy(): Promise<void> {
    this.#isRegistered = true;
    for (let passed = 0; passed < healthyThreshold; await sleep(checkEveryMs))
      passed = (await this.#check()) ? passed + 1 : 0;
    this.#isHealthy = true;
  }

  /** Calls the health service, by a connection of its own and without the certificate of a client. */
  async #check(): Promise<boolean> {
    // A load balancer verifies no certificate of its targets.
    const session = connect(`https://127.0.0.1:${this.port}`, { rejectUnauthorized: false });
    session.on('error', () => {});
    const path = '/grpc.health.v1.Health/Check';
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    try {
      return await new Promise<boolean>((resolve) => {
        const give = (isHealthy: boolean) => () => resolve(isHealthy);
        stream.setTimeout(checkMs, give(false));
        stream.on('error', give(false)).on('close', give(false)).resume();
        stream.on('trailers', (trailers) => resolve(trailers['grpc-status'] === '0'));
        stream.end(emptyMessage);
      });
    } finally {
      session.destroy();
    }
  }

  /** Begins a call on a connection with room for it. */
  request(headers: OutgoingHttpHeaders): ClientHttp2Stream {
    const connection = [...this.#connections].find(({ calls, isLeaving }) => calls < mostCalls && !isLeaving);
    const { session } = connection ?? this.#connect();
    const used = [...this.#connections].find((one) => one.session === session) as Connection;
    used.calls++;
    const stream = session.request(headers);
    stream.once('close', () => {
      used.calls--;
    });
    return stream;
  }

  #connect(): Connection {
    const session = connect(`https://127.0.0.1:${this.port}`, {
      ca: this.#ca,
      checkServerIdentity: () => undefined,
    });
    const connection: Connection = { session, calls: 0, isLeaving: false };
    this.#connections.add(connection);
    session.on('error', () => {});
    session.on('goaway', () => {
      connection.isLeaving = true;
    });
    session.once('close', () => this.#connections.delete(connection));
    return connection;
  }

  /** Cuts all connections at once, and returns how many there were. */
  cut(): number {
    const { size } = this.#connections;
    for (const { session } of this.#connections) session.destroy();
    return size;
  }

  close(): void {
    this.cut();
  }
}
