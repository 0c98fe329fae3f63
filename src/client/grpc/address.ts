import { invalid } from '../../core/errors.ts';

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** `host:port`, `[::1]:port`. Throws BAD_FIELD. */
export function targetOf(address: string): Target {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]/\s]+)):(\d{1,5})$/.exec(address);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port < 1 || port > 65_535) {
    throw invalid([{ field: 'address', description: `'${address}' is not host:port, as in localhost:7233` }]);
  }
  return { host, port };
}
