/**
 * Limits the bodies that the HTTP listener has received: each chunk is counted in the budget of its call, until the call
 * is closed, before it is kept, and a body must arrive in time. Connect reads a body as an async iterable, which this file replaces.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants, type Http2ServerRequest } from 'node:http2';
import type { Readable } from 'node:stream';
import type { HoldfastError } from '../../../core/errors.ts';
import { limits } from '../../../core/limits.ts';
import type { Clock } from '../../../ports/clock.ts';
import { connectionOf } from '../../auth/connections.ts';
import type { AdmittedCall } from '../admission/admission.ts';
import { mostMessageBytes, tooLarge } from '../parse.ts';
import { connectError } from './connect-error.ts';

export type Request = IncomingMessage | Http2ServerRequest;

/** JSON messages may be twice as long as binary ones: they encode bytes in base64 and repeat field names. */
export const mostJsonBytes = 2 * mostMessageBytes;

/** The bytes that each chunk of a body counts beside its own: the objects of a small chunk are larger than the chunk. */
const chunkBytes = 256;
/** A chunk below this size is copied: as a part of a larger buffer it would keep the whole buffer in memory. */
const copiedBytes = 8_192;
/** The time in ms in which the client may read the answer before a connection is closed whose body has not ended. */
export const lingerMs = 1_000;

/** Replaces the async iterator of a request, from which Connect reads the body. `rewrite` gets the limited body. */
export function limitBody(
  request: Request,
  call: AdmittedCall,
  rewrite?: (body: AsyncIterable<Buffer>) => AsyncIterator<Buffer>,
): void {
  const isStranger = call.identity === undefined;
  const mostBytes = isStranger ? limits.strangerMessageBytes : mostJsonBytes;
  const value = (): AsyncIterator<Buffer> => {
    const body = bodyOf(request, call, mostBytes);
    return rewrite?.(body) ?? body;
  };
  Object.defineProperty(request, Symbol.asyncIterator, { value });
}

async function* bodyOf(
  request: Request,
  { bytes, connection, timer }: AdmittedCall,
  mostBytes: number,
): AsyncGenerator<Buffer> {
  const expired = Promise.withResolvers<never>();
  expired.promise.catch(() => {});
  const refuse = (error: HoldfastError): void => expired.reject(error);
  timer.begin(refuse);
  // The request must stay open after an error, since its connection also carries the answer.
  const chunks = (request as Readable).iterator({ destroyOnReturn: false });
  let receivedBytes = 0;
  const count = (more: number): void => {
    const refusal = bytes.take(more);
    if (refusal !== undefined) throw refusal;
  };
  try {
    if (request.headers['content-encoding'] !== undefined) count(mostBytes);
    for (;;) {
      const next = await Promise.race([chunks.next(), expired.promise]);
      if (next.done) return;
      const chunk = next.value as Buffer;
      receivedBytes += chunk.length;
      connection.received(chunk.length);
      if (receivedBytes > mostBytes) throw tooLarge(receivedBytes, mostBytes);
      count(chunk.length + chunkBytes);
      yield chunk.length < copiedBytes ? Buffer.from(chunk) : chunk;
    }
  } catch (thrown) {
    throw connectError(thrown);
  } finally {
    timer.end(refuse);
    // While this iterator listens to the request, the rest of the body cannot be read off the connection.
    void chunks.return?.();
  }
}

/** Has the client stop sending once its request was answered before the end of its body. */
export function endUnreadBody(request: Request, response: ServerResponse, clock: Clock): void {
  if ('stream' in request) {
    const { stream } = request;
    // A stream that is reset at once would lose its answer.
    stream.once('finish', () => clock.soon(() => void stream.close(constants.NGHTTP2_NO_ERROR)));
    return;
  }
  response.once('finish', () => {
    if (request.complete) return;
    const { socket } = request;
    // A client that has sent the rest by then may use the connection for its next request.
    const cancel = clock.after(lingerMs, () => {
      if (!request.complete) socket.destroy();
    });
    request.once('end', cancel);
    const connection = connectionOf(socket);
    // This also reads the rest of the body, and counts what really comes.
    request.on('data', ({ length }: Buffer) => connection?.received(length));
  });
}
