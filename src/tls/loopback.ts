import { BlockList, isIPv6 } from 'node:net';
import { HoldfastError } from '../core/errors.ts';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  return loopback.check(host, isIPv6(host) ? 'ipv6' : 'ipv4');
}

/**
 * Throws BAD_CONFIGURATION if a plaintext listener would be reachable from other machines. Without TLS, clients have no
 * identity.
 */
export function ensurePlaintextAllowed(host: string): void {
  if (isLoopback(host)) return;
  throw new HoldfastError(
    'FAILED_PRECONDITION',
    'BAD_CONFIGURATION',
    `Plaintext is allowed on a loopback address only, and '${host}' is not one.`,
    { help: 'Listen on 127.0.0.1, or use certificates (`holdfast certs issue`) instead of plaintext.' },
  );
}
