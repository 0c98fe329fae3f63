import { createServer } from 'node:net';
import { HoldfastError } from '../../core/errors.ts';

/** The number of ports that are tried, from the default one on. */
const triedPorts = 50;

/**
 * Returns the first port from `first` on that no program of this machine listens on, and that is not in `taken`.
 *
 * @throws HoldfastError PORT_IN_USE if 50 ports in a row are taken.
 */
export async function nextFreePort(first: number, taken: readonly number[] = []): Promise<number> {
  for (let port = first; port < first + triedPorts; port++) {
    if (!taken.includes(port) && (await isFree(port))) return port;
  }
  const last = first + triedPorts - 1;
  throw new HoldfastError('FAILED_PRECONDITION', 'PORT_IN_USE', `The ports ${first} to ${last} are in use.`, {
    help: 'Use any free ones: --port 0 --http-port 0.',
  });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ host: '127.0.0.1', port, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
