/** Passes one call of a client on to a target, message by message in both directions. */
import {
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Target } from './target.ts';

export interface ForwardedStream {
  readonly target: Target;
  /** Resets the call, towards the client, towards the target, or both. */
  reset(code: number, side: 'client' | 'target' | 'both'): void;
}

/** `active` is called with each part of a message, in either direction. */
export function forward(
  client: ServerHttp2Stream,
  target: Target,
  headers: OutgoingHttpHeaders,
  active: () => void,
): ForwardedStream {
  let call: ClientHttp2Stream;
  try {
    call = target.request(headers);
  } catch {
    client.respond({ ':status': 502 }, { endStream: true });
    return { target, reset() {} };
  }
  let trailers: IncomingHttpHeaders | undefined;
  call.on('error', () => {});
  call.on('response', (response, flags) => {
    active();
    if (client.closed || client.destroyed) return;
    const isWhole = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    client.respond(response as OutgoingHttpHeaders, { endStream: isWhole, waitForTrailers: !isWhole });
  });
  call.on('trailers', (received) => {
    trailers = received;
  });
  client.on('wantTrailers', () => {
    if (trailers === undefined) client.close(constants.NGHTTP2_INTERNAL_ERROR);
    else client.sendTrailers(trailers as OutgoingHttpHeaders);
  });
  for (const [from, to] of [
    [client, call],
    [call, client],
  ] as const) {
    from.on('data', active);
    from.pipe(to, { end: false });
  }
  client.once('end', () => call.end());
  // The client has an answer only if it was whole: a call that ended without trailers was cut.
  call.once('end', () => {
    if (trailers !== undefined && !client.destroyed) client.end();
  });
  call.once('close', () => endOfTarget(client, call, trailers));
  client.once('close', () => {
    if (!call.closed) call.close(constants.NGHTTP2_CANCEL);
  });
  return {
    target,
    reset(code, side) {
      if (side !== 'target' && !client.closed) client.close(code);
      if (side !== 'client' && !call.closed) call.close(code);
    },
  };
}

/** Answers a client whose target has gone. */
function endOfTarget(
  client: ServerHttp2Stream,
  call: ClientHttp2Stream,
  trailers: IncomingHttpHeaders | undefined,
): void {
  if (client.closed || client.destroyed || trailers !== undefined) return;
  const wasAnswered = client.headersSent;
  if (wasAnswered && call.rstCode === constants.NGHTTP2_NO_ERROR && client.writableEnded) return;
  if (wasAnswered) client.close(call.rstCode || constants.NGHTTP2_INTERNAL_ERROR);
  else client.respond({ ':status': 502 }, { endStream: true });
}
