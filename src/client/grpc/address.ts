import { invalid } from '../../core/errors.ts';

/** The address of a server. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Parses `host:port` or `[::1]:port`. @throws HoldfastError INVALID_ARGUMENT, reason BAD_FIELD, for any other text. */
export function parseAddress(address: string): HostPort {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]/\s]+)):(\d{1,5})$/.exec(address);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port < 1 || port > 65_535) {
    throw invalid([
      { field: 'address', description: `'${address}' is not host:port, for example localhost:7433` },
    ]);
  }
  return { host, port };
}
