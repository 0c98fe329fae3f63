import { HoldfastError } from '../core/errors.ts';
import type { Clock } from '../ports/clock.ts';
import { type Client, createClient } from './client.ts';
import type { Duration } from './duration.ts';
import type { ClientTls } from './grpc/tls.ts';
import { LazyTransport } from './lazy-transport.ts';
import type { Logger } from './log.ts';
import type { Presence } from './presence.ts';
import { findProfile } from './profile.ts';
import type { Transport } from './transport.ts';

export type { ClientTls } from './grpc/tls.ts';

export interface ConnectOptions {
  /** Files of the CA, the certificate and its key. Default: HOLDFAST_CA, HOLDFAST_CERT, HOLDFAST_KEY, else the profile's. */
  readonly tls?: ClientTls | undefined;
  /**
   * Without TLS: anyone on the way can read and act. For a server on this machine that was started so. The same as
   * a URL `holdfast+plaintext://host:port`. Default false.
   */
  readonly plaintext?: boolean | undefined;
  /** Default: the certificate's only tenant, else `default`. */
  readonly tenant?: string | undefined;
  /** How long calls are repeated while the server cannot be reached. Default 30 s. */
  readonly retryFor?: Duration | undefined;
  /** Where workers and `ctx.log` write; pino fits. Default: JSON lines on standard error, level HOLDFAST_LOG or `info`. */
  readonly log?: Logger | undefined;
}

export type Connect = (url?: string, options?: ConnectOptions) => Client;

/** What connecting needs of the world; index.ts gives it. */
export interface ConnectParts {
  readonly clock: Clock;
  readonly presence: Presence;
  readonly workerName: string;
  readonly cwd: () => string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: () => Logger;
  /** A node in this process for `file:…` and `memory:`. */
  readonly openEmbedded: (url: string) => Promise<Transport>;
}

export type Target =
  | { readonly kind: 'embedded'; readonly url: string }
  | { readonly kind: 'server'; readonly address: string; readonly tls: ClientTls | undefined };

const scheme = 'holdfast://';
/** Without TLS, said by the URL, so that HOLDFAST_URL and --url can say it too. */
const plaintextScheme = 'holdfast+plaintext://';

/**
 * Which server is meant: the URL, else HOLDFAST_URL, else the profile that `holdfast dev` wrote in this folder or one
 * above it.
 * @throws HoldfastError INVALID_ARGUMENT, reason BAD_CONFIGURATION.
 */
export function resolveTarget(
  parts: Pick<ConnectParts, 'env' | 'cwd'>,
  asked: string | undefined,
  options: Pick<ConnectOptions, 'tls' | 'plaintext'> = {},
): Target {
  const { env } = parts;
  const named = asked ?? (env.HOLDFAST_URL === '' ? undefined : env.HOLDFAST_URL);
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

/** Makes `connect`. */
export function connector(parts: ConnectParts): Connect {
  return (url, options = {}) => {
    const target = resolveTarget(parts, url, options);
    const transport = new LazyTransport(() => open(parts, target));
    const { clock, presence, workerName } = parts;
    const { tenant, retryFor, log = parts.log() } = options;
    return createClient(transport, { clock, presence, workerName, tenant, retryFor, log });
  };
}

async function open(parts: ConnectParts, target: Target): Promise<Transport> {
  if (target.kind === 'embedded') return parts.openEmbedded(target.url);
  const { grpcTransport } = await import('./grpc/transport.ts');
  const { address, tls } = target;
  return grpcTransport({ address, tls, plaintext: tls === undefined, clock: parts.clock });
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

const helpCertificates = 'Set all three to files; `npx holdfast certs issue <name>` makes them.';

function configuration(message: string, help: string): HoldfastError {
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_CONFIGURATION', message, { help });
}

function noConfiguration(): HoldfastError {
  const both =
    'Run `npx holdfast dev` in another terminal for a server on this machine, or `export HOLDFAST_URL=holdfast://host:7233` for another one';
  return configuration(
    'No server is known here.',
    `${both}. Without any server: connect('file:./queue.db') or connect('memory:').`,
  );
}

function badUrl(url: string): HoldfastError {
  return configuration(
    `'${url}' is no address of Holdfast.`,
    'Write holdfast://host:port for a server (holdfast+plaintext://host:port for one without TLS), file:./queue.db for a store in a file, memory: for one in memory.',
  );
}

function noCertificates(url: string): HoldfastError {
  return configuration(
    `No certificates are known for ${url}.`,
    `Give connect(url, { tls: { ca, cert, key } }). ${helpCertificates}`,
  );
}
