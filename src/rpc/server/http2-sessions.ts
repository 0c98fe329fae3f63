/** The limits of HTTP/2 sessions on both listeners. */
import type { ServerHttp2Session, Settings } from 'node:http2';
import { limits, timing } from '../../core/limits.ts';
import type { Clock } from '../../ports/clock.ts';

/** The settings of a session whose peer has an identity. */
export const peerSettings: Settings = { maxConcurrentStreams: limits.callsPerConnection };

/** The settings of a session whose peer has no identity: few calls, and few bytes of each before they are read. */
export const strangerSettings: Settings = {
  maxConcurrentStreams: limits.callsPerStranger,
  initialWindowSize: limits.strangerWindowBytes,
  maxHeaderListSize: limits.strangerMessageBytes,
};

/** Destroys a session whose client does not end its HTTP/2 handshake in time: the preface and its settings. */
export function limitHandshake(session: ServerHttp2Session, clock: Clock): void {
  const { socket } = session;
  const cancel = clock.after(timing.handshakeMs, () => {
    session.destroy();
    socket.destroy();
  });
  session.once('remoteSettings', cancel);
  session.once('close', cancel);
}
