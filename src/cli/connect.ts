import { resolveTarget } from '../client/connect.ts';
import type { Transport } from '../client/transport.ts';
import { HoldfastError } from '../core/errors.ts';
import { systemClock } from '../platform/clock.ts';
import { usage } from './exit-codes.ts';

export interface ReachOptions {
  readonly url: string | undefined;
}

/** The server that `connect()` would find too: `--url`, else HOLDFAST_URL, else the profile that `holdfast dev` wrote. */
async function transportFor({ url }: ReachOptions): Promise<Transport> {
  const target = resolveTarget({ env: process.env, cwd: () => process.cwd() }, url);
  if (target.kind === 'embedded') {
    throw usage(
      `'${target.url}' is a store of one process, and this command talks to a server.`,
      `Run \`holdfast serve --store ${target.url}\`, and name it: --url holdfast://host:port.`,
    );
  }
  const { grpcTransport } = await import('../client/grpc/transport.ts');
  const { address, tls } = target;
  return grpcTransport({ address, tls, plaintext: tls === undefined, clock: systemClock() });
}

/** What is under way, for whoever interrupts it. */
export interface UnderWay {
  /** Aborted by the interruption; for calls that stay open. */
  readonly signal: AbortSignal;
  taskId?: string;
  help?: string;
}

/**
 * Calls the server. Ctrl-C ends it with an error of the code CANCELLED, so that the exit status is 130 and `--json`
 * holds.
 */
export async function reach<T>(
  options: ReachOptions,
  use: (transport: Transport, inFlight: UnderWay) => Promise<T>,
): Promise<T> {
  const transport = await transportFor(options);
  const open = new AbortController();
  const inFlight: UnderWay = { signal: open.signal };
  const interrupted = Promise.withResolvers<never>();
  const stop = (): void => {
    interrupted.reject(new HoldfastError('CANCELLED', 'ABANDONED', 'Interrupted.', inFlight));
    open.abort();
  };
  process.once('SIGINT', stop);
  try {
    return await Promise.race([use(transport, inFlight), interrupted.promise]);
  } finally {
    process.off('SIGINT', stop);
    await transport.close();
  }
}
