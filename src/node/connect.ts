/** The composition root of the SDK. The code of a node is loaded only for a URL that names a store in this process. */
import { hostname } from 'node:os';
import {
  type Connect,
  type ConnectOptions,
  type ConnectParts,
  type ConnectTarget,
  connector,
  resolveTarget,
} from '../client/connect.ts';
import { sharedNodes } from '../client/embedded.ts';
import { systemClock } from '../platform/clock.ts';
import { defaultLog } from '../platform/log.ts';
import { processPresence } from '../platform/presence.ts';
import { packageVersion } from '../platform/version.ts';
import type { WorkerMetrics } from '../ports/metrics.ts';
import { OtelTracing } from '../telemetry/traces/otel-tracing.ts';

const clock = systemClock();
const tracing = new OtelTracing(packageVersion);

const openEmbedded = sharedNodes(async (url) => {
  const [{ openEmbedded: openNode }, { inProcess }] = await Promise.all([
    import('./node.ts'),
    import('./in-process.ts'),
  ]);
  const node = await openNode(url, { tracing });
  const transport = inProcess({ api: node.api, clock });
  return {
    transport,
    async close() {
      await transport.close();
      await node.close();
    },
  };
});

const parts: ConnectParts = {
  clock,
  presence: processPresence(),
  workerName: `${hostname()}/${process.pid}`,
  cwd: () => process.cwd(),
  env: process.env,
  log: defaultLog,
  tracing,
  openEmbedded,
};

/**
 * Returns a client of the server or store that the URL names: `holdfast://host:port` for a server over mutual TLS,
 * `file:./queue.db` for a store in a file that this process opens, `memory:` for a store that is gone with the process.
 * Without a URL it uses HOLDFAST_URL, else the profile that `holdfast dev` wrote. It returns at once and connects at the
 * first call. An idle client does not keep the process alive.
 *
 * @throws HoldfastError INVALID_ARGUMENT, reason BAD_CONFIGURATION, if no server or no certificate is known.
 *
 * @example
 * ```ts
 * await using client = connect('file:./queue.db');
 * const task = await client.submit(sendEmail, { to: 'ada@example.com' });
 * ```
 */
export const connect: Connect = connector(parts);

/** Returns a `connect` whose clients count their calls and attempts, for `holdfast worker`. */
export function meteredConnect(metrics: WorkerMetrics | undefined): Connect {
  return connector({ ...parts, metrics });
}

/** Returns the target that `connect` would use, for a program that shows what it connects to. */
export function connectTarget(url?: string, options?: Pick<ConnectOptions, 'tls'>): ConnectTarget {
  return resolveTarget(parts, url, options);
}
