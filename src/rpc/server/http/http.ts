/** The HTTP listener: Connect with JSON, for curl and web apps, over HTTP/1.1 and (with TLS) HTTP/2. */
import { createServer as createPlainServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { Server } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { type Code, cors, createContextValues } from '@connectrpc/connect';
import { codeToHttpStatus } from '@connectrpc/connect/protocol-connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { codeNumber } from '../../../core/codec/item-error.ts';
import { asHoldfastError, HoldfastError } from '../../../core/errors.ts';
import type { Admission, Admitted } from '../admission.ts';
import { mostMessageBytes } from '../parse.ts';
import { addRoutes, admittedKey, type RouteDeps } from './connect-routes.ts';

type Request = IncomingMessage | Http2ServerRequest;

export interface HttpDeps extends RouteDeps {
  readonly admission: Admission;
  /** Browser origins that may call; none by default, so that no web page reaches a local server. */
  readonly origins: readonly string[];
}

/** JSON spells bytes in base64 and repeats field names. */
const mostJsonBytes = 2 * mostMessageBytes;
const healthPath = '/grpc.health.v1.Health/';

export function httpServer(tls: TlsOptions | undefined, deps: HttpDeps): Server {
  const handle = handler(deps);
  if (tls === undefined) return createPlainServer(handle);
  const secure = handle as unknown as (request: Http2ServerRequest, response: Http2ServerResponse) => void;
  return createSecureServer({ ...tls, allowHTTP1: true }, secure);
}

/** HTTP/2 is served by Node's compatibility layer, whose requests and answers are used as those of HTTP/1.1. */
function handler(deps: HttpDeps): (request: Request, response: ServerResponse) => void {
  const admitted = new WeakMap<Request, Admitted>();
  const connect = connectNodeAdapter({
    routes: (router) => addRoutes(router, deps),
    grpc: false,
    grpcWeb: false,
    readMaxBytes: mostJsonBytes,
    // A mistyped `idempotencyKey` that is ignored would be a task done twice.
    jsonOptions: { ignoreUnknownFields: false },
    contextValues: (request) => createContextValues().set(admittedKey, admitted.get(request as Request)),
    fallback: (request, response) => answer(response as ServerResponse, notFound(request.url ?? '')),
  });
  return (request: Request, response: ServerResponse) => {
    const url = request.url ?? '';
    if (url === '/healthz') return answerHealth(response, deps.health.serving);
    try {
      if (ensureOrigin(request, deps.origins) && sharesWith(request, response)) return;
      // Health asks nobody who they are.
      if (!url.startsWith(healthPath)) {
        admitted.set(request, deps.admission.admit(request.socket, request.headers));
      }
      connect(request, response);
    } catch (thrown) {
      answer(response, asHoldfastError(thrown));
    }
  };
}

/** True: from a web page that may call. */
function ensureOrigin({ headers }: Request, origins: readonly string[]): boolean {
  const { origin } = headers;
  if (origin === undefined) return false;
  if (origins.includes(String(origin))) return true;
  throw new HoldfastError('PERMISSION_DENIED', 'DENIED', 'Requests from web pages are refused here.', {
    help: 'Call from a server, and let the page ask that.',
  });
}

/** What a browser must hear before it gives an answer to its page. True: that was all it asked. */
function sharesWith({ headers, method }: Request, response: ServerResponse): boolean {
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

/** An error before Connect has the request, in Connect's own form: a code and a sentence. */
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

function notFound(url: string): HoldfastError {
  const path = url.split('?')[0] ?? '';
  return new HoldfastError('UNIMPLEMENTED', 'NOT_BUILT', `There is nothing at '${path.slice(0, 256)}'.`, {
    help: 'Calls are POSTs of JSON to /holdfast.v1.TaskService/GetTask and the like.',
  });
}
