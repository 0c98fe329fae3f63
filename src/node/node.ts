/**
 * The composition root of servers and of workers that share their store: the only module that knows every engine and the
 * listeners. A server is a node with listeners; `embedded.ts` opens a node without any.
 */
import type { HoldfastError } from '../core/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { NodeMetrics } from '../ports/metrics.ts';
import type { Tracing } from '../ports/tracing.ts';
import { type ListeningServer, type ListenOptions, listen } from '../rpc/server/listen.ts';
import type { DutyOptions } from '../runtime/nodes/duties.ts';
import { certificateExpiry, refusedHeaders, storeSources } from './metrics/sources.ts';
import type { ProcessMetrics } from './metrics/start-metrics.ts';
import type { AwsStore } from './open/aws.ts';
import type { OpenedStore, StoreOptions } from './open/opened.ts';
import { openStore } from './open/store.ts';
import { type HoldfastNode, type NodeOptions, startNode } from './start-node.ts';

export { type HoldfastNode, type NodeOptions, startNode } from './start-node.ts';

async function startOn(
  opened: OpenedStore,
  {
    metrics,
    ...options
  }: Pick<NodeOptions, 'log' | 'node' | 'tracing'> & {
    readonly duties?: DutyOptions;
    readonly metrics?: ProcessMetrics | undefined;
    readonly observe?: ((counters: NodeMetrics | undefined) => NodeMetrics) | undefined;
  },
): Promise<HoldfastNode> {
  try {
    if (options.duties?.takesPart !== false) await opened.check?.();
    await opened.checkSchema?.();
    const engine = metrics?.measured(opened.engine, opened.engineName) ?? opened.engine;
    const duties = { ...opened.duties, ...options.duties };
    for (const source of storeSources(opened)) metrics?.addSource(source);
    return await startNode({
      ...opened,
      ...options,
      engine,
      duties,
      metrics: options.observe?.(metrics?.node) ?? metrics?.node,
    });
  } catch (thrown) {
    await opened.engine.close();
    throw opened.startError?.(thrown) ?? thrown;
  }
}

/**
 * Opens a node for the workers of this process only, on the store that the servers share. It polls SQS by itself and
 * leaves the background work (due tasks, lost dispatch messages) to the servers.
 */
export async function openWorkerNode(
  store: AwsStore,
  options: StoreOptions & { readonly metrics?: ProcessMetrics | undefined },
): Promise<{ readonly node: HoldfastNode; readonly clock: Clock }> {
  const { log, metrics, tracing } = options;
  const opened = await openStore(store, { ...options, requests: metrics?.node });
  const node = await startOn(opened, { log, metrics, tracing, duties: { takesPart: false } });
  return { node, clock: opened.clock };
}

export interface ServeOptions extends Omit<ListenOptions, 'api'> {
  /** The store of the server: `file:<path>`, `memory:`, or a DynamoDB table that several servers share. */
  readonly store: string | AwsStore;
  readonly node?: string | undefined;
  readonly onFatal?: ((error: HoldfastError) => void) | undefined;
  /** The metrics of the process. Default: nothing is counted. */
  readonly metrics?: ProcessMetrics | undefined;
  /** Returns counters that see what the node counts, beside those of the metrics. Default: nothing else sees it. */
  readonly observe?: ((counters: NodeMetrics | undefined) => NodeMetrics) | undefined;
  /** Records the spans of the server. Default: none are recorded. */
  readonly tracing?: Tracing | undefined;
}

export interface RunningServer {
  readonly listening: ListeningServer;
  readonly node: HoldfastNode;
  /**
   * Stops the server in this order: it accepts no new connections, drains the node within `limitMs` (default: 500 ms),
   * ends the streams and closes the store. It waits for no running task: workers keep their attempts and settle them on
   * another node, or on this one after its restart. Returns within `timing.serverStopMs`, whatever the store and the
   * clients do.
   */
  close(limitMs?: number): Promise<void>;
}

/**
 * Starts a server: opens the store, starts the node and listens for connections. If the server cannot listen, the store
 * is closed again.
 */
export async function serve({
  store,
  node: name,
  onFatal,
  metrics,
  observe,
  tracing,
  ...options
}: ServeOptions): Promise<RunningServer> {
  const { log } = options;
  const opened = await openStore(store, {
    ...{ clock: options.clock, log, tracing, onFatal, requests: metrics?.node },
  });
  const { clock, corrected } = opened;
  const node = await startOn(opened, { log, node: name, metrics, observe, tracing });
  if ('tls' in options.grpc) metrics?.addSource(certificateExpiry('server', options.grpc.tls, clock));
  let listening: ListeningServer;
  try {
    listening = await listen({ ...options, clock, api: node.api });
  } catch (thrown) {
    await node.close(0);
    throw thrown;
  }
  metrics?.addSource(refusedHeaders(() => listening.headerRefusals));
  if (corrected !== undefined) {
    listening.ready(corrected.fit);
    corrected.onFitness(() => listening.ready(corrected.fit));
  }
  return {
    listening,
    node,
    async close(limitMs) {
      listening.drain();
      await node.drain(limitMs);
      await listening.close();
      await node.close();
    },
  };
}
