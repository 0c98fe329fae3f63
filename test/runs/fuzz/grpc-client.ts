/** Makes the fuzzed gRPC calls over one HTTP/2 session for each identity. */
import type { ClientHttp2Stream } from 'node:http2';
import { fromBinary, toJson } from '@bufbuild/protobuf';
import { type RawSession, rawSession } from '../../fixtures/raw-grpc.ts';
import type { GrpcCase } from './grpc-case.ts';
import type { IdentityName, Target } from './identities.ts';
import { type GrpcAnswer, grpcProblem, itemProblem } from './judge.ts';
import type { KnownValues } from './known-values.ts';
import type { Rpc } from './rpcs.ts';

/** The time in ms after which the client cancels a call that it leaves open, or that does not end by itself. */
const openMs = 60;
const patienceMs = 15_000;
const cancelCode = 8;
/** The number of HTTP/2's error INTERNAL_ERROR. */
const internalError = 2;
const mostResponseBytes = 4_000_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export class GrpcClient {
  readonly #target: Target;
  readonly #known: KnownValues;
  /** A sentence about a session that the server ended as failed, until it was returned as the answer to a case. */
  #failure: string | undefined;
  readonly #sessions = new Map<IdentityName, Promise<RawSession>>();

  constructor(target: Target, known: KnownValues) {
    this.#target = target;
    this.#known = known;
  }

  /** Returns the session of an identity, and a new one if the old one has ended. */
  async #session(identity: IdentityName): Promise<RawSession> {
    const open = this.#sessions.get(identity);
    if (open !== undefined) {
      const { session } = await open;
      if (!session.closed && !session.destroyed) return open;
    }
    const { address, clients } = this.#target;
    const opening = rawSession(address, clients[identity]);
    void opening.then(({ session }) => {
      session.on('goaway', (code) => {
        if (code === internalError)
          this.#failure = `the server ended a session of ${identity} with INTERNAL_ERROR`;
      });
    });
    this.#sessions.set(identity, opening);
    return opening;
  }

  /** Makes the call of a case. Resolves with a sentence if something is wrong with the answer. */
  async run(one: GrpcCase): Promise<string | undefined> {
    const raw = await this.#session(one.identity);
    if (raw.session.closed || raw.session.destroyed) return undefined;
    let call: ReturnType<RawSession['call']>;
    try {
      call = raw.call(one.path, { ...one.headers });
    } catch {
      // Node refuses to send some of the headers.
      return undefined;
    }
    const { stream } = call;
    const received = receive(stream);
    let isCancelled = false;
    let isLate = false;
    const cancel = (): void => {
      isCancelled = true;
      isLate = one.ends && mustEnd(one) && !raw.session.closed && !raw.session.destroyed;
      stream.close(cancelCode);
    };
    const timer = setTimeout(cancel, one.ends ? patienceMs : openMs);
    for (const bytes of one.writes) {
      if (!stream.writable) break;
      stream.write(bytes);
      // Some messages arrive together and some apart.
      if (one.rpc.clientStreams && bytes.length % 3 === 0) await pause(1);
    }
    if (one.ends) stream.end();
    let answer: GrpcAnswer;
    try {
      const { code, message, reason } = await call.status;
      // A session closes its streams before it says that it has ended.
      await new Promise((resolve) => setImmediate(resolve));
      const cancelled = isCancelled || raw.session.closed || raw.session.destroyed;
      // Node gives the streams of a session that has ended a number too.
      const reset = stream.rstCode === 0 || cancelled ? undefined : stream.rstCode;
      answer = { http: received.http(), code, message, reason, resetBy: reset, cancelled };
    } catch (thrown) {
      return `the status of the call cannot be read: ${(thrown as Error).message}`;
    } finally {
      clearTimeout(timer);
    }
    if (isLate) return `the call did not end within ${patienceMs} ms`;
    const failure = this.#failure;
    this.#failure = undefined;
    return failure ?? grpcProblem(answer) ?? this.#learn(one.rpc, received.bytes());
  }

  /** Keeps what later calls can use. Returns a sentence if an item of the response has a wrong error. */
  #learn({ output }: Rpc, bytes: Buffer): string | undefined {
    if (output === undefined) return undefined;
    for (let at = 0; at + 5 <= bytes.length; ) {
      const end = at + 5 + bytes.readUInt32BE(at + 1);
      if (end > bytes.length) return undefined;
      try {
        const response = toJson(output, fromBinary(output, bytes.subarray(at + 5, end)));
        this.#known.learn(response);
        const problem = itemProblem(response);
        if (problem !== undefined) return problem;
      } catch (thrown) {
        return `a message of the response cannot be read: ${(thrown as Error).message}`;
      }
      at = end;
    }
    return undefined;
  }

  async close(): Promise<void> {
    for (const open of this.#sessions.values()) await (await open)[Symbol.asyncDispose]();
  }
}

/** A timeout that is over well before the call is given up. */
const shortTimeout = /^(\d{1,3}m|\d{1,6}[un]|[1-5]S)$/;

/** Returns true if the server must end a call whose client has ended. A stream that watches goes on until its timeout. */
function mustEnd({ rpc, headers }: GrpcCase): boolean {
  const timeout = headers['grpc-timeout'] ?? '';
  return !rpc.serverStreams || shortTimeout.test(timeout);
}

function receive(stream: ClientHttp2Stream) {
  let http: number | undefined;
  let size = 0;
  const chunks: Buffer[] = [];
  stream.once('response', (headers) => {
    http = Number(headers[':status']);
  });
  stream.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size < mostResponseBytes) chunks.push(chunk);
  });
  return { http: () => http, bytes: () => Buffer.concat(chunks) };
}
