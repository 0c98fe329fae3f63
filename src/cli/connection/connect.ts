import type { Caller } from '../../client/calls.ts';
import { type ConnectTarget, resolveTarget } from '../../client/connect.ts';
import type { ClientTls } from '../../client/grpc/tls.ts';
import type { Transport } from '../../client/transport.ts';
import { asHoldfastError, HoldfastError } from '../../core/errors.ts';
import { systemClock } from '../../platform/clock.ts';
import { AdminService } from '../../rpc/gen/holdfast/v1/admin_service_pb.ts';
import { usage } from '../exit-codes.ts';

/** The flags that say which server a verb calls. */
export interface ServerOptions {
  readonly url: string | undefined;
  /** The certificates of `--tls-ca`, `--tls-cert` and `--tls-key`. */
  readonly tls?: ClientTls | undefined;
}

/**
 * Returns the address of the server that `connect()` would also find: the one of `--url`, else of HOLDFAST_URL, else of
 * the profile that `holdfast dev` wrote.
 *
 * @throws HoldfastError BAD_FIELD if the URL names a store instead of a server.
 */
export function serverTarget({
  url,
  tls,
}: ServerOptions): Extract<ConnectTarget, { readonly kind: 'server' }> {
  const target = resolveTarget({ env: process.env, cwd: () => process.cwd() }, url, { tls });
  if (target.kind === 'server') return target;
  throw usage(
    `'${target.url}' is a store that one process opens, and this command calls a server.`,
    `Run \`holdfast serve --store ${target.url}\`, and name that server: --url holdfast://host:port.`,
  );
}

/** Returns the calls of the SDK's parts over the transport of a verb, each made once. */
export function callsOf(transport: Transport): Pick<Caller, 'call'> {
  return { call: (method, request, signal) => transport.call(method, request, { signal }) };
}

/** Throws QUEUE_UNKNOWN if the queue does not exist. Does nothing if the caller may not know it. */
export async function ensureQueueExists(transport: Transport, tenant: string, name: string): Promise<void> {
  try {
    await transport.call(AdminService.method.getQueue, { tenant, name }, {});
  } catch (thrown) {
    const error = asHoldfastError(thrown);
    if (error.reason === 'QUEUE_UNKNOWN') throw error;
  }
}

async function transportFor(options: ServerOptions): Promise<Transport> {
  const { address, tls } = serverTarget(options);
  const { grpcTransport } = await import('../../client/grpc/transport.ts');
  return grpcTransport({ address, tls, plaintext: tls === undefined, clock: systemClock() });
}

/** The task id and the help that a verb adds to the error of an interruption by Ctrl-C. */
export interface Interruption {
  /** The signal that Ctrl-C aborts, so that open calls end. */
  readonly signal: AbortSignal;
  taskId?: string;
  help?: string;
  /** True if Ctrl-C is the way in which the verb ends: it then ends with status 0. */
  endsInOrder?: boolean;
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
    if (interruption.endsInOrder !== true)
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
