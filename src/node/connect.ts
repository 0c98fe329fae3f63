/** The composition root of the SDK. The code of a node is loaded only for a URL that names a store in this process. */
import {
  type Connect,
  type ConnectParts,
  type ConnectTarget,
  connector,
  resolveTarget,
} from '../client/connect.ts';
import { startWorker } from '../client/worker/worker.ts';
import { defaultLog } from '../platform/log.ts';
import type { WorkerMetrics } from '../ports/metrics.ts';
import { remoteParts } from '../remote/parts.ts';
import { storeName } from './open/store-name.ts';
import { sharedNodes } from './shared-nodes.ts';

const { clock, tracing } = remoteParts;

const openEmbedded = sharedNodes(async (url) => {
  const [{ openEmbedded: openNode }, { inProcess }] = await Promise.all([
    import('./embedded.ts'),
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
}, storeName);

const parts: ConnectParts = { ...remoteParts, log: defaultLog, startWorker, openEmbedded };

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
export function connectTarget(url?: string): ConnectTarget {
  return resolveTarget(parts, url);
}
