/**
 * The server's end of a Work or Report stream. It counts the stream toward the limits, sends keep-alives, cuts the
 * stream of a slow reader and ends the stream exactly once.
 */
import { asHoldfastError, HoldfastError } from '../../../core/errors.ts';
import { limits, timing } from '../../../core/limits.ts';
import type { CallContext, ServerStream } from '../api.ts';
import type { ApiDeps } from '../api-deps.ts';
import { startStreamLife } from './stream-life.ts';

export interface ServerChannelEvents {
  /**
   * Called when the channel has sent the message `drain`, which asks the client to open a new stream. From then on no
   * task may be assigned on this stream.
   */
  draining(): void;
  /**
   * Called when there may be room for more messages: the transport has sent some of the stream's buffered bytes, or other
   * streams have left room.
   */
  roomFreed?(): void;
  /** Called when the stream has ended, with or without an error. Nothing can be sent any more. */
  closed(): void;
}

export interface ServerChannel<Message> {
  /** Returns how many bytes can be sent on the stream now without waiting for the client to read. */
  roomBytes(): number;
  /** Counts `bytes` more, or less, that are being prepared for the stream, like those that are not sent. */
  preparing(bytes: number): void;
  send(message: Message): void;
  end(error?: HoldfastError): void;
  messageReceived(): void;
  drain(): void;
}

type ControlMessage = { readonly kind: 'keepAlive' } | { readonly kind: 'drain' };

/**
 * Opens the server's end of a Work or Report stream. Returns undefined if this node refuses the stream; the client has
 * then received the error.
 */
export function openChannel<Message>(
  deps: ApiDeps,
  stream: ServerStream<Message | ControlMessage>,
  context: CallContext,
  events: ServerChannelEvents,
): ServerChannel<Message> | undefined {
  let uncount: () => void;
  try {
    uncount = countStream(deps, context);
  } catch (thrown) {
    stream.end(asHoldfastError(thrown));
    return undefined;
  }
  let open = true;
  let lastSentAtMs = deps.clock.monotonic();
  let preparingBytes = 0;
  const unsent = deps.unsent.of(context.identity, () => events.roomFreed?.());
  const life = startStreamLife(deps.clock, {
    keepAlive() {
      const stuckMs = stream.bufferedBytes === 0 ? 0 : deps.clock.monotonic() - lastSentAtMs;
      if (stuckMs >= timing.keepAliveMs) end(slowReader(stream.bufferedBytes));
      else send({ kind: 'keepAlive' });
    },
    drain() {
      send({ kind: 'drain' });
      events.draining();
    },
    over: end,
  });
  stream.roomFreed = () => {
    lastSentAtMs = deps.clock.monotonic();
    count();
    events.roomFreed?.();
  };
  const unsubscribe = deps.onDrain(() => life.drain());
  const onAbort = (): void => end();
  context.signal.addEventListener('abort', onAbort);

  function count(): void {
    if (open) unsent.set(stream.bufferedBytes + preparingBytes);
  }
  function send(message: Message | ControlMessage): void {
    if (!open) return;
    if (stream.bufferedBytes === 0) lastSentAtMs = deps.clock.monotonic();
    stream.send(message);
    count();
    if (stream.bufferedBytes > limits.streamBufferBytes) end(slowReader(stream.bufferedBytes));
  }
  function end(error?: HoldfastError): void {
    if (!open) return;
    open = false;
    life.stop();
    unsubscribe();
    context.signal.removeEventListener('abort', onAbort);
    uncount();
    unsent.set(0);
    if (error?.reason === 'BUG')
      deps.log.error({ err: error.cause ?? error }, 'a stream failed with an unexpected error');
    events.closed();
    stream.end(error);
  }
  if (context.signal.aborted) end();
  const roomBytes = (): number =>
    Math.max(0, Math.min(limits.streamFillBytes - stream.bufferedBytes - preparingBytes, unsent.roomBytes));
  const preparing = (bytes: number): void => {
    preparingBytes += bytes;
    count();
  };
  return { roomBytes, preparing, send, end, messageReceived: life.messageReceived, drain: life.drain };
}

/**
 * Counts one more open stream of the caller, and returns a function that counts the stream as closed. Throws if this
 * node drains or has too many streams.
 */
export function countStream(deps: ApiDeps, { identity }: CallContext): () => void {
  refuseWhileDraining(deps);
  return deps.streams.take(identity);
}

/** Throws UNAVAILABLE, reason DRAINING, if this node assigns nothing more and opens no streams. */
export function refuseWhileDraining({ draining, node }: Pick<ApiDeps, 'draining' | 'node'>): void {
  if (!draining) return;
  throw new HoldfastError(
    'UNAVAILABLE',
    'DRAINING',
    `The node '${node}' is shutting down: it opens no streams and assigns no tasks.`,
    {
      help: 'Connect again; another node, or this one after its restart, will answer.',
    },
  );
}

function slowReader(bytes: number): HoldfastError {
  const message = `${bytes.toLocaleString('en')} bytes wait unread on this stream; it was cut.`;
  return new HoldfastError('RESOURCE_EXHAUSTED', 'SLOW_READER', message, {
    help: 'Read the stream as it comes, give fewer credits, or use more streams; then open it again.',
  });
}

export function badSequence(message: string, help: string): HoldfastError {
  return new HoldfastError('FAILED_PRECONDITION', 'BAD_SEQUENCE', message, { help });
}

/** A receiver that ignores all messages, for a stream that was refused before its first message. */
export const inertReceiver = Object.freeze({ message() {}, closed() {} });
