/** The HTTP listener. It serves Connect with JSON to curl and web apps, over HTTP/1.1 and, with TLS, HTTP/2. */
import { createServer as createPlainServer, type ServerResponse } from 'node:http';
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { Server } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { type Code, cors, createContextValues } from '@connectrpc/connect';
import { codeToHttpStatus } from '@connectrpc/connect/protocol-connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { codeNumber } from '../../../core/codec/item-error.ts';
import { asHoldfastError, HoldfastError } from '../../../core/errors.ts';
import { timing } from '../../../core/limits.ts';
import { connectionOf } from '../../auth/connections.ts';
import type { CallBytes } from '../admission/receiving-budget.ts';
import type { PeerAuthenticator } from '../authenticator.ts';
import { limitSession, peerSettings, sessionLimits, strangerSettings } from '../http2-sessions.ts';
import {
  type AuthenticatedCaller,
  addRoutes,
  bytesKey,
  callerKey,
  type RouteDeps,
} from './connect-routes.ts';
import { markMalformed } from './malformed-request.ts';
import { plainPayloads } from './plain-payload.ts';
import { endUnreadBody, limitBody, mostJsonBytes, type Request } from './receive-body.ts';

export interface HttpDeps extends RouteDeps {
  readonly authenticator: PeerAuthenticator;
  /**
   * Browser origins whose web pages may call the HTTP listener. Default: none, because web pages must not reach a local
   * server.
   */
  readonly origins: readonly string[];
}

/**
 * The time limits of HTTP/1.1. Node closes a connection whose request is not complete in time; the body's own time limit
 * comes first and explains itself.
 */
const http1 = {
  headersTimeout: timing.headersMs,
  requestTimeout: timing.requestMs + 5_000,
  connectionsCheckingInterval: 1_000,
};

export function httpServer(tls: TlsOptions | undefined, deps: HttpDeps): Server {
  const handle = handler(deps);
  if (tls === undefined) return createPlainServer(http1, handle);
  const secure = handle as unknown as (request: Http2ServerRequest, response: Http2ServerResponse) => void;
  const options = { ...tls, ...http1, ...sessionLimits, allowHTTP1: true, settings: peerSettings };
  const server = createSecureServer(options, secure);
  server.on('session', (session) => {
    limitSession(session, deps.clock);
    // The connection of the session is registered in this turn of the event loop, but after this event.
    queueMicrotask(() => {
      if (isStranger(session.socket) && !session.destroyed) session.settings(strangerSettings);
    });
  });
  return server;
}

function isStranger(socket: object): boolean {
  return connectionOf(socket)?.authorization instanceof HoldfastError;
}

/** Handles HTTP/1.1 and HTTP/2 alike: Node's compatibility layer gives HTTP/2 the request objects of HTTP/1.1. */
function handler(deps: HttpDeps): (request: Request, response: ServerResponse) => void {
  const callers = new WeakMap<Request, AuthenticatedCaller>();
  const counted = new WeakMap<Request, CallBytes>();
  const connect = connectNodeAdapter({
    routes: (router) => addRoutes(router, deps),
    grpc: false,
    grpcWeb: false,
    readMaxBytes: mostJsonBytes,
    requestGate: markMalformed,
    // Unknown JSON fields are refused, because ignoring a mistyped name is dangerous: with a mistyped `idempotencyKey`
    // a task could run twice.
    jsonOptions: { ignoreUnknownFields: false },
    // A message may be kept for as long as its call is open.
    binaryOptions: { readUnknownFields: false },
    contextValues: (request) =>
      createContextValues()
        .set(callerKey, callers.get(request as Request))
        .set(bytesKey, counted.get(request as Request)),
    fallback: (request, response) => answer(response as ServerResponse, notFound(request.url ?? '')),
  });
  return (request: Request, response: ServerResponse) => {
    const url = request.url ?? '';
    endUnreadBody(request, response, deps.clock);
    try {
      const { authenticator, admission } = deps;
      const caller = authenticator.connectionOf(request.socket, request.headers);
      if (url === '/healthz') return answerHealth(response, deps.health.serving);
      if (ensureOrigin(request, deps.origins) && answerCors(request, response)) return;
      const call = admission.admit(authenticator, pathOf(url), caller, request.headers);
      response.once('close', () => call.bytes.close());
      counted.set(request, call.bytes);
      countAnswer(response, call.bytes);
      const { identity, connection } = call;
      if (identity !== undefined) callers.set(request, { identity, connection });
      limitBody(request, call, plainPayloads(request, pathOf(url)));
      connect(request, response);
    } catch (thrown) {
      answer(response, asHoldfastError(thrown));
    }
  };
}

/** Counts the bytes of an answer in the budget of its call, which is closed when the client has read the answer. */
function countAnswer(response: ServerResponse, bytes: CallBytes): void {
  const write = response.write.bind(response) as (...args: unknown[]) => boolean;
  response.write = ((chunk: unknown, ...rest: unknown[]) => {
    if (typeof chunk === 'string' || chunk instanceof Uint8Array) bytes.answer(chunk.length);
    return write(chunk, ...rest);
  }) as ServerResponse['write'];
}

/**
 * Returns true if the request comes from a web page of an allowed origin, and false if it comes from no web page.
 * Throws PERMISSION_DENIED for web pages of other origins.
 */
function ensureOrigin({ headers }: Request, origins: readonly string[]): boolean {
  const { origin } = headers;
  if (origin === undefined) return false;
  if (origins.includes(String(origin))) return true;
  throw new HoldfastError('PERMISSION_DENIED', 'DENIED', 'Requests from web pages are refused here.', {
    help: 'Call from a server, and let the web page call that server.',
  });
}

/**
 * Sets the CORS headers, without which a browser hides the response from its web page. Returns true if the request was
 * a CORS preflight, which it answers.
 */
function answerCors({ headers, method }: Request, response: ServerResponse): boolean {
  response.setHeader('access-control-allow-origin', String(headers.origin));
  response.setHeader('vary', 'origin');
  response.setHeader('access-control-expose-headers', cors.exposedHeaders.join(', '));
  if (method !== 'OPTIONS') return false;
  response.setHeader('access-control-allow-methods', cors.allowedMethods.join(', '));
  response.setHeader('access-control-allow-headers', [...cors.allowedHeaders, 'traceparent'].join(', '));
  response.writeHead(204);
  response.end();
  return true;
}

function answerHealth(response: ServerResponse, serving: boolean): void {
  response.writeHead(serving ? 200 : 503, { 'content-type': 'text/plain', 'cache-control': 'no-store' });
  response.end(serving ? 'SERVING\n' : 'NOT_SERVING\n');
}

/** Answers an HTTP request that Connect does not handle with an error in Connect's JSON form (code and message). */
function answer(response: ServerResponse, error: HoldfastError): void {
  const { message, help } = error;
  const body = {
    code: error.code.toLowerCase(),
    message: help === undefined ? message : `${message} ${help}`,
    reason: error.reason,
  };
  const status = codeToHttpStatus(codeNumber(error.code) as Code);
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
}

function pathOf(url: string): string {
  return url.split('?')[0] ?? '';
}

function notFound(url: string): HoldfastError {
  const path = pathOf(url).slice(0, 256);
  return new HoldfastError('UNIMPLEMENTED', 'NOT_BUILT', `There is nothing at '${path}'.`, {
    help: 'Calls are POSTs of JSON to /holdfast.v1.TaskService/GetTask and the like.',
  });
}
