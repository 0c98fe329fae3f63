/** The limits of HTTP/2 sessions on both listeners. */
import type { ServerHttp2Session, Settings } from 'node:http2';
import { limits, timing } from '../../core/limits.ts';
import type { Clock } from '../../ports/clock.ts';
import { type Connection, connectionOf } from '../auth/connections.ts';

/** The settings of a session whose peer has an identity. */
export const peerSettings: Settings = { maxConcurrentStreams: limits.callsPerConnection };

/**
 * How many streams a client may reset at once, and how many a second on. A client that resets more loses its connection:
 * a stream that is opened and reset costs the server as much as a call (CVE-2023-44487). The burst is larger than twice the
 * calls of a connection, because a client also resets calls that were refused while it was sending their messages.
 */
const resetLimits = { streamResetBurst: 640, streamResetRate: 33 };

/** The most headers of a call, which each cost time. gRPC and HTTP clients send about 15. */
const maxHeaderListPairs = 64;

/** The limits of every session, beside its settings. */
export const sessionLimits = { ...resetLimits, maxHeaderListPairs };

/** The settings of a session whose peer has no identity: few calls, and few bytes of each before they are read. */
export const strangerSettings: Settings = {
  maxConcurrentStreams: limits.callsPerStranger,
  initialWindowSize: limits.strangerWindowBytes,
  maxHeaderListSize: limits.strangerMessageBytes,
};

/**
 * Destroys a session whose client does not end its HTTP/2 handshake in time: the preface and its settings. Records on its
 * connection if the client breaks the protocol later, or resets more streams than it may.
 */
export function limitSession(session: ServerHttp2Session, clock: Clock): void {
  const { socket } = session;
  let connection: Connection | undefined;
  // The HTTP listener registers the connection in this turn of the event loop, but after this call.
  queueMicrotask(() => {
    connection = session.destroyed ? undefined : connectionOf(socket);
  });
  session.once('error', ({ code }: NodeJS.ErrnoException) => {
    // Other errors are those of the socket, like the reset of a client that was killed.
    if (code === 'ERR_HTTP2_ERROR') connection?.brokeProtocol();
  });
  const cancel = clock.after(timing.handshakeMs, () => {
    session.destroy();
    socket.destroy();
  });
  session.once('remoteSettings', cancel);
  session.once('close', cancel);
}
