import { BlockList, isIPv6 } from 'node:net';
import { HoldfastError } from '../core/errors.ts';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  return loopback.check(host, isIPv6(host) ? 'ipv6' : 'ipv4');
}

/** Without TLS nobody is asked who they are, so nobody else's machine may reach the port. */
export function ensurePlaintextAllowed(host: string): void {
  if (isLoopback(host)) return;
  throw new HoldfastError(
    'FAILED_PRECONDITION',
    'BAD_CONFIGURATION',
    `Plaintext is allowed on a loopback address only, and '${host}' is none.`,
    { help: 'Listen on 127.0.0.1, or leave out plaintext and give certificates (`holdfast certs issue`).' },
  );
}
