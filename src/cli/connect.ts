import { type ConnectTarget, resolveTarget } from '../client/connect.ts';
import type { Transport } from '../client/transport.ts';
import { HoldfastError } from '../core/errors.ts';
import { systemClock } from '../platform/clock.ts';
import { usage } from './exit-codes.ts';

export interface ServerOptions {
  readonly url: string | undefined;
}

/**
 * Returns the address of the server that `connect()` would also find: the one of `--url`, else of HOLDFAST_URL, else of
 * the profile that `holdfast dev` wrote.
 *
 * @throws HoldfastError BAD_FIELD if the URL names a store instead of a server.
 */
export function serverTarget({ url }: ServerOptions): Extract<ConnectTarget, { readonly kind: 'server' }> {
  const target = resolveTarget({ env: process.env, cwd: () => process.cwd() }, url);
  if (target.kind === 'server') return target;
  throw usage(
    `'${target.url}' is a store that one process opens, and this command calls a server.`,
    `Run \`holdfast serve --store ${target.url}\`, and name that server: --url holdfast://host:port.`,
  );
}

async function transportFor(options: ServerOptions): Promise<Transport> {
  const { address, tls } = serverTarget(options);
  const { grpcTransport } = await import('../client/grpc/transport.ts');
  return grpcTransport({ address, tls, plaintext: tls === undefined, clock: systemClock() });
}

/** The task id and the help that a verb adds to the error of an interruption by Ctrl-C. */
export interface Interruption {
  /** The signal that Ctrl-C aborts, so that open calls end. */
  readonly signal: AbortSignal;
  taskId?: string;
  help?: string;
}

/**
 * Runs `use` with a connection to the server. Ctrl-C rejects with an error of the code CANCELLED instead of ending the
 * process, so that the exit status is 130 and `--json` still prints one JSON value.
 */
export async function withServer<T>(
  options: ServerOptions,
  use: (transport: Transport, interruption: Interruption) => Promise<T>,
): Promise<T> {
  const transport = await transportFor(options);
  const open = new AbortController();
  const interruption: Interruption = { signal: open.signal };
  const interrupted = Promise.withResolvers<never>();
  const stop = (): void => {
    interrupted.reject(new HoldfastError('CANCELLED', 'ABANDONED', 'Interrupted.', interruption));
    open.abort();
  };
  process.once('SIGINT', stop);
  try {
    return await Promise.race([use(transport, interruption), interrupted.promise]);
  } finally {
    process.off('SIGINT', stop);
    await transport.close();
  }
}
