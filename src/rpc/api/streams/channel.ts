/** The server's end of a Work or Report stream: counted, kept alive, bounded, ended once. */
import { asHoldfastError, HoldfastError } from '../../../core/errors.ts';
import { limits, timing } from '../../../core/limits.ts';
import type { CallContext, ServerStream } from '../api.ts';
import type { Parts } from '../parts.ts';
import { beginLife } from './stream-life.ts';

export interface ChannelEvents {
  /** This stream gives no more; the peer has just been told. */
  draining(): void;
  /** The transport has taken something: there may be room again. */
  taken?(): void;
  /** Over, however it came; nothing can be sent any more. */
  closed(): void;
}

export interface Channel<Message> {
  /** How much may be sent now without waiting for the reader. */
  roomBytes(): number;
  send(message: Message): void;
  end(error?: HoldfastError): void;
  messageReceived(): void;
  drain(): void;
}

type Common = { readonly kind: 'keepAlive' } | { readonly kind: 'drain' };

/** Undefined: refused, and the peer was told why. */
export function openChannel<Message>(
  parts: Parts,
  stream: ServerStream<Message | Common>,
  context: CallContext,
  events: ChannelEvents,
): Channel<Message> | undefined {
  let uncount: () => void;
  try {
    uncount = openCounted(parts, context);
  } catch (thrown) {
    stream.end(asHoldfastError(thrown));
    return undefined;
  }
  let open = true;
  let takenAtMs = parts.clock.monotonic();
  const life = beginLife(parts.clock, {
    keepAlive() {
      const stuckMs = stream.bufferedBytes === 0 ? 0 : parts.clock.monotonic() - takenAtMs;
      if (stuckMs >= timing.keepAliveMs) end(slowReader(stream.bufferedBytes));
      else send({ kind: 'keepAlive' });
    },
    drain() {
      send({ kind: 'drain' });
      events.draining();
    },
    over: end,
  });
  stream.taken = () => {
    takenAtMs = parts.clock.monotonic();
    events.taken?.();
  };
  const forget = parts.onDrain(() => life.drain());
  const abandoned = (): void => end();
  context.signal.addEventListener('abort', abandoned);

  function send(message: Message | Common): void {
    if (!open) return;
    if (stream.bufferedBytes === 0) takenAtMs = parts.clock.monotonic();
    stream.send(message);
    if (stream.bufferedBytes > limits.streamBufferBytes) end(slowReader(stream.bufferedBytes));
  }
  function end(error?: HoldfastError): void {
    if (!open) return;
    open = false;
    life.stop();
    forget();
    context.signal.removeEventListener('abort', abandoned);
    uncount();
    if (error?.reason === 'BUG')
      parts.log.error({ err: error.cause ?? error }, 'a stream met an unexpected error');
    events.closed();
    stream.end(error);
  }
  if (context.signal.aborted) end();
  const roomBytes = (): number => Math.max(0, limits.streamFillBytes - stream.bufferedBytes);
  return { roomBytes, send, end, messageReceived: life.messageReceived, drain: life.drain };
}

/** Throws where this node drains or has too many streams; the answer uncounts the stream. */
export function openCounted(parts: Parts, { identity }: CallContext): () => void {
  if (parts.draining) throw draining(parts.node);
  return parts.streams.open(identity);
}

function draining(node: string): HoldfastError {
  return new HoldfastError(
    'UNAVAILABLE',
    'DRAINING',
    `The node '${node}' is shutting down and opens no streams.`,
    {
      help: 'Connect again; another node, or this one after its restart, will answer.',
    },
  );
}

function slowReader(bytes: number): HoldfastError {
  const told = `${bytes.toLocaleString('en')} bytes wait unread on this stream`;
  return new HoldfastError('RESOURCE_EXHAUSTED', 'SLOW_READER', `${told}; it was cut.`, {
    help: 'Read the stream as it comes, give fewer credits, or use more streams; then open it again.',
  });
}

export function badSequence(what: string, help: string): HoldfastError {
  return new HoldfastError('FAILED_PRECONDITION', 'BAD_SEQUENCE', what, { help });
}

/** For a stream that was refused before its first message. */
export const deaf = Object.freeze({ message() {}, closed() {} });
