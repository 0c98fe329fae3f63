import { HoldfastError } from '../core/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { WorkerMetrics } from '../ports/metrics.ts';
import type { Tracing } from '../ports/tracing.ts';
import { type Client, clientOver } from './client.ts';
import type { Duration } from './duration.ts';
import type { ClientTls } from './grpc/tls.ts';
import { LazyTransport } from './lazy-transport.ts';
import type { Logger } from './log.ts';
import type { Presence } from './presence.ts';
import { findProfile } from './profile.ts';
import type { Transport } from './transport.ts';
import type { StartWorker } from './worker/running.ts';

export type { ClientTls } from './grpc/tls.ts';

/** Options of `connect`. */
export interface ConnectOptions {
  /**
   * Paths of the PEM files for mutual TLS: the authority, the client's certificate and its key. Default: the
   * environment variables HOLDFAST_CA, HOLDFAST_CERT and HOLDFAST_KEY, otherwise the files named in the profile that
   * `holdfast dev` wrote.
   */
  readonly tls?: ClientTls | undefined;
  /**
   * Connects without TLS: anyone on the network can read the traffic and act as this client. Use it only for a server
   * on this machine. The URL `holdfast+plaintext://host:port` means the same. Default: false.
   */
  readonly plaintext?: boolean | undefined;
  /** The tenant of all calls. Default: the only tenant of the certificate, otherwise `default`. */
  readonly tenant?: string | undefined;
  /** How long a failed call is retried while the server is unreachable or overloaded. Default: 30 s. */
  readonly retryFor?: Duration | undefined;
  /**
   * The log of the client, of its workers, and of `context.log` in handlers; a pino logger fits. Default: lines on
   * standard error, text on a terminal and otherwise JSON (or as HOLDFAST_LOG_FORMAT says), from the level in the environment
   * variable HOLDFAST_LOG, otherwise from `info`.
   */
  readonly log?: Logger | undefined;
}

/** The type of `connect`: returns a client for a URL, see `connect`. */
export type Connect = (url?: string, options?: ConnectOptions) => Client;

/** The parts of the environment that `connect` needs; the composition root (src/node/connect.ts) provides them. */
export interface ConnectParts {
  readonly clock: Clock;
  readonly presence: Presence;
  readonly workerName: string;
  readonly cwd: () => string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: () => Logger;
  /** Counts the calls and the attempts of the clients. Default: nothing is counted. */
  readonly metrics?: WorkerMetrics | undefined;
  /** Records the spans of the submissions and the attempts of the clients. */
  readonly tracing: Tracing;
  /** Opens a node in this process for the URLs `file:…` and `memory:`. Without it these URLs are refused. */
  readonly openEmbedded?: ((url: string) => Promise<Transport>) | undefined;
  /** Starts the workers of the clients. Without it `work` is refused. */
  readonly startWorker?: StartWorker | undefined;
}

/** The resolved target of a connection: an embedded store, or the address of a server. */
export type ConnectTarget =
  | { readonly kind: 'embedded'; readonly url: string }
  | { readonly kind: 'server'; readonly address: string; readonly tls: ClientTls | undefined };

const scheme = 'holdfast://';
/** The URL scheme for a server without TLS. URLs with this scheme also work in HOLDFAST_URL and in `--url`. */
const plaintextScheme = 'holdfast+plaintext://';

/**
 * Returns the target of a connection: from the URL, otherwise from HOLDFAST_URL, otherwise from the profile that
 * `holdfast dev` wrote in the current folder or in a folder above.
 * @throws HoldfastError INVALID_ARGUMENT, reason BAD_CONFIGURATION, if no URL is configured, or if the URL, the
 * certificates or the profile cannot be used.
 */
export function resolveTarget(
  parts: Pick<ConnectParts, 'env' | 'cwd'>,
  urlArgument: string | undefined,
  options: Pick<ConnectOptions, 'tls' | 'plaintext'> = {},
): ConnectTarget {
  const { env } = parts;
  const named = urlArgument ?? (env.HOLDFAST_URL === '' ? undefined : env.HOLDFAST_URL);
  if (named !== undefined && isEmbedded(named)) return { kind: 'embedded', url: named };
  if (named?.startsWith(plaintextScheme) === true) {
    return { kind: 'server', address: addressIn(named, plaintextScheme), tls: undefined };
  }
  const own = options.tls ?? certificatesIn(env);
  const needsProfile = named === undefined || (own === undefined && options.plaintext !== true);
  const profile = needsProfile ? findProfile(parts.cwd()) : undefined;
  const url = named ?? profile?.url;
  if (url === undefined) throw noConfiguration();
  if (!url.startsWith(scheme)) throw badUrl(url);
  const address = addressIn(url, scheme);
  if (options.plaintext === true) return { kind: 'server', address, tls: undefined };
  const tls = own ?? profile?.tls;
  if (tls === undefined) throw noCertificates(url);
  return { kind: 'server', address, tls };
}

function addressIn(url: string, before: string): string {
  return url.slice(before.length).replace(/\/$/, '');
}

/** Returns a `connect` function that uses the given parts of the environment. */
export function connector(parts: ConnectParts): Connect {
  return (url, options = {}) => {
    const target = resolveTarget(parts, url, options);
    const open = opener(parts, target);
    const transport = new LazyTransport(open);
    const { clock, metrics, presence, startWorker, tracing, workerName } = parts;
    const { tenant, retryFor, log = parts.log() } = options;
    const beginsAtOnce = target.kind === 'embedded';
    return clientOver(transport, {
      ...{ clock, metrics, presence, startWorker, tracing, workerName, tenant, retryFor, log, beginsAtOnce },
    });
  };
}

function opener(parts: ConnectParts, target: ConnectTarget): () => Promise<Transport> {
  if (target.kind === 'embedded') {
    const { openEmbedded } = parts;
    if (openEmbedded === undefined) throw noEmbedded(target.url);
    return () => openEmbedded(target.url);
  }
  const { address, tls } = target;
  return async () => {
    const { grpcTransport } = await import('./grpc/transport.ts');
    return grpcTransport({ address, tls, plaintext: tls === undefined, clock: parts.clock });
  };
}

function isEmbedded(url: string): boolean {
  return url === 'memory:' || url.startsWith('file:');
}

function certificatesIn({
  HOLDFAST_CA,
  HOLDFAST_CERT,
  HOLDFAST_KEY,
}: ConnectParts['env']): ClientTls | undefined {
  if (!HOLDFAST_CA && !HOLDFAST_CERT && !HOLDFAST_KEY) return undefined;
  if (HOLDFAST_CA && HOLDFAST_CERT && HOLDFAST_KEY)
    return { ca: HOLDFAST_CA, cert: HOLDFAST_CERT, key: HOLDFAST_KEY };
  throw configuration('HOLDFAST_CA, HOLDFAST_CERT and HOLDFAST_KEY must be set together.', helpCertificates);
}

const helpCertificates = 'Set all three to file paths; `npx holdfast certs issue <name>` creates the files.';

function configuration(message: string, help: string): HoldfastError {
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_CONFIGURATION', message, { help });
}

function noConfiguration(): HoldfastError {
  const both =
    'Run `npx holdfast dev` in another terminal for a server on this machine, or `export HOLDFAST_URL=holdfast://host:7433` for another one';
  return configuration(
    'No Holdfast server is configured.',
    `${both}. Without any server: connect('file:./queue.db') or connect('memory:').`,
  );
}

function badUrl(url: string): HoldfastError {
  return configuration(
    `'${url}' is not a Holdfast URL.`,
    'Write holdfast://host:port for a server (holdfast+plaintext://host:port for one without TLS), file:./queue.db for a store in a file, memory: for one in memory.',
  );
}

function noCertificates(url: string): HoldfastError {
  return configuration(
    `No certificates are configured for ${url}.`,
    `Give connect(url, { tls: { ca, cert, key } }). ${helpCertificates}`,
  );
}

function noEmbedded(url: string): HoldfastError {
  return configuration(
    `holdfast/client and holdfast/worker open no store, and '${url}' names one.`,
    "Use `import { connect } from 'holdfast'` for a store in this process, or the URL of a server, holdfast://host:port.",
  );
}
