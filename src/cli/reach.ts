import { grpcTransport } from '../client/grpc/transport.ts';
import type { Transport } from '../client/transport.ts';
import { systemClock } from '../platform/clock.ts';
import { usage } from './exit-codes.ts';
import { findProfile } from './profile.ts';

export interface ReachOptions {
  readonly url: string | undefined;
}

const scheme = 'holdfast://';

/** The server that the command talks to: `--url`, else HOLDFAST_URL, else the profile that `holdfast dev` wrote. */
function transportFor({ url: asked }: ReachOptions): Transport {
  const profile = findProfile(process.cwd());
  const url = asked ?? process.env.HOLDFAST_URL ?? profile?.url;
  if (url === undefined) {
    throw usage(
      'No server is known here.',
      'Run `npx holdfast dev` in another terminal, or name one: --url holdfast://host:7233 (or HOLDFAST_URL).',
    );
  }
  if (!url.startsWith(scheme))
    throw usage(`'${url}' is not a server's URL.`, 'Write it as holdfast://host:port.');
  const { HOLDFAST_CA: ca, HOLDFAST_CERT: cert, HOLDFAST_KEY: key } = process.env;
  const tls = ca === undefined ? profile?.tls : { ca, cert, key };
  if (tls === undefined) {
    throw usage(
      'No certificates are known here.',
      'Set HOLDFAST_CA, HOLDFAST_CERT and HOLDFAST_KEY to their files; `holdfast certs issue <name>` makes them.',
    );
  }
  return grpcTransport({ address: url.slice(scheme.length), tls, clock: systemClock() });
}

export async function reach<T>(options: ReachOptions, use: (transport: Transport) => Promise<T>): Promise<T> {
  const transport = transportFor(options);
  try {
    return await use(transport);
  } finally {
    await transport.close();
  }
}
