import { connect, type TLSSocket } from 'node:tls';
import type { Clock } from '../../ports/clock.ts';
import type { HostPort } from './address.ts';

/** The time in ms in which a server must answer the first message of a TLS handshake. */
const handshakeMs = 1_000;
/** The errors of a handshake that a server answered with TLS: it refused the client, the version or the protocol. */
const answered = /ALERT|HANDSHAKE_FAILURE|NO_APPLICATION_PROTOCOL|UNSUPPORTED_PROTOCOL/;

/** Returns true if the server at this address answers a TLS handshake, whether it trusts this client or not. */
export function speaksTls({ host, port }: HostPort, clock: Clock): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  // Nothing is sent over this connection, so the server need not be trusted.
  const socket: TLSSocket = connect({ host, port, ALPNProtocols: ['h2'], rejectUnauthorized: false });
  const cancel = clock.after(handshakeMs, () => resolve(false));
  socket.once('secureConnect', () => resolve(true));
  socket.on('error', ({ code = '' }: NodeJS.ErrnoException) => resolve(answered.test(code)));
  socket.once('close', () => resolve(false));
  return promise.finally(() => {
    cancel();
    socket.destroy();
  });
}
