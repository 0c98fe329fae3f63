/** Sends the fuzzed requests over HTTP/1.1 and HTTP/2, and the bytes of the cases below the protocols. */
import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { Agent, request as requestHttps } from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { HttpCase } from './http-case.ts';
import type { IdentityName, Target } from './identities.ts';
import { type HttpAnswer, httpProblem } from './judge.ts';
import type { RawCase } from './raw-case.ts';

const patienceMs = 10_000;
/** The time in ms in which the server may answer to raw bytes before their connection is closed. */
const rawMs = 40;

interface Secrets {
  readonly ca: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

export class HttpClient {
  readonly #target: Target;
  readonly #secrets = new Map<IdentityName, Secrets>();
  readonly #agents = new Map<IdentityName, Agent>();
  readonly #sessions = new Map<IdentityName, ClientHttp2Session>();

  constructor(target: Target) {
    this.#target = target;
    for (const [name, { ca, cert, key }] of Object.entries(target.clients)) {
      const pair =
        cert === undefined || key === undefined ? {} : { cert: readFileSync(cert), key: readFileSync(key) };
      this.#secrets.set(name as IdentityName, { ca: readFileSync(ca), ...pair });
    }
  }

  /** Sends the request of a case. Resolves with a sentence if something is wrong with the answer. */
  async run(one: HttpCase): Promise<string | undefined> {
    const answer = await (one.version === 1 ? this.#overHttp1(one) : this.#overHttp2(one)).catch(
      (thrown: Error) => {
        // Node refuses to send some requests, and the server ends the connections of others.
        return thrown.message === 'late' ? 'late' : undefined;
      },
    );
    if (answer === 'late') return `the request was not answered within ${patienceMs} ms`;
    return answer === undefined || one.method === 'HEAD' ? undefined : httpProblem(answer);
  }

  #overHttp1({ identity, method, path, headers, body }: HttpCase): Promise<HttpAnswer> {
    let agent = this.#agents.get(identity);
    if (agent === undefined) {
      agent = new Agent({ keepAlive: true, maxSockets: 4, ...this.#secrets.get(identity) });
      this.#agents.set(identity, agent);
    }
    const [host, port] = this.#target.httpAddress.split(':');
    return new Promise((resolve, reject) => {
      const sent = requestHttps({ agent, host, port, method, path, headers: { ...headers } }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            contentType: response.headers['content-type'] ?? '',
            body: Buffer.concat(chunks),
          }),
        );
      });
      sent.once('error', reject);
      sent.setTimeout(patienceMs, () => sent.destroy(new Error('late')));
      sent.end(method === 'GET' || method === 'HEAD' ? undefined : body);
    });
  }

  #overHttp2({ identity, method, path, headers, body }: HttpCase): Promise<HttpAnswer> {
    let session = this.#sessions.get(identity);
    if (session === undefined || session.closed || session.destroyed) {
      session = connectHttp2(`https://${this.#target.httpAddress}`, this.#secrets.get(identity));
      session.on('error', () => {});
      this.#sessions.set(identity, session);
    }
    const open = session;
    return new Promise((resolve, reject) => {
      const stream = open.request({ ...headers, ':method': method, ':path': path });
      const chunks: Buffer[] = [];
      let status = 0;
      let contentType = '';
      stream.once('response', (found) => {
        status = Number(found[':status']);
        contentType = found['content-type'] ?? '';
      });
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', reject);
      const timer = setTimeout(() => stream.destroy(new Error('late')), patienceMs);
      stream.once('close', () => {
        clearTimeout(timer);
        if (status === 0) reject(new Error('no response'));
        else resolve({ status, contentType, body: Buffer.concat(chunks) });
      });
      stream.end(body);
    });
  }

  /** Sends the bytes of a case on a connection of its own, and waits a moment for an answer that it does not judge. */
  async send({ port, identity, writes }: RawCase): Promise<void> {
    const { address, httpAddress } = this.#target;
    const [host = '', number] = (port === 'grpc' ? address : httpAddress).split(':');
    const alpn = port === 'grpc' || writes[0]?.[0] === 'P'.charCodeAt(0) ? ['h2'] : ['http/1.1'];
    const socket: Socket =
      identity === undefined
        ? connectTcp(Number(number), host)
        : connectTls({ host, port: Number(number), ALPNProtocols: alpn, ...this.#secrets.get(identity) });
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
      socket.on('error', () => {});
      socket.resume();
      socket.once(identity === undefined ? 'connect' : 'secureConnect', () => {
        for (const bytes of writes) socket.write(bytes);
      });
      socket.setTimeout(rawMs, () => socket.destroy());
    });
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
    for (const session of this.#sessions.values()) session.destroy();
  }
}
