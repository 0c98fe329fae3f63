/**
 * The composition root of a node: the only module that knows every part. A node is an engine (`open/`), the service over
 * it, its background loops and its API. A server is a node with listeners; an embedded node has none.
 */
import { hostname } from 'node:os';
import type { HoldfastError } from '../core/errors.ts';
import { systemClock } from '../platform/clock.ts';
import { packageVersion } from '../platform/version.ts';
import type { Clock } from '../ports/clock.ts';
import type { Engine } from '../ports/engine.ts';
import { type Log, silentLog } from '../ports/log.ts';
import type { NodeMetrics } from '../ports/metrics.ts';
import type { Tracing } from '../ports/tracing.ts';
import { createApi, type NodeApi } from '../rpc/api/create-api.ts';
import { type ListeningServer, type ListenOptions, listen } from '../rpc/server/listen.ts';
import type { DutyOptions } from '../runtime/nodes/duties.ts';
import { startRuntime } from '../runtime/runtime.ts';
import { within } from '../runtime/within.ts';
import type { QueueSettings } from '../service/admin/queue-settings.ts';
import { createService } from '../service/create-service.ts';
import type { Service } from '../service/service.ts';
import { certificateExpiry, refusedHeaders, storeSources } from './metrics/sources.ts';
import type { ProcessMetrics } from './metrics/start-metrics.ts';
import type { AwsStore } from './open/aws.ts';
import type { OpenedStore, StoreOptions } from './open/opened.ts';
import { openEngine, openStore } from './open/store.ts';

export interface HoldfastNode {
  readonly api: NodeApi;
  readonly service: Service;
  readonly engine: Engine;
  /**
   * Assigns no more tasks and asks the connected workers to connect elsewhere, finishes the commits and the background
   * work that are in flight, and answers the outcomes and heartbeats that it has received, all within `limitMs`
   * (default and maximum: 500 ms). It waits for no running task, because leases are stored. A second call returns the
   * promise of the first.
   */
  drain(limitMs?: number): Promise<void>;
  /**
   * Drains the node, then closes the store. Returns within `timing.serverStopMs` even if the store does not answer. A
   * second call returns the promise of the first.
   */
  close(limitMs?: number): Promise<void>;
}

export interface NodeOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly log: Log;
  readonly node?: string | undefined;
  /** True if a queue is created at its first use. Default: true. */
  readonly createQueues?: boolean | undefined;
  /**
   * Options for the background work that the nodes of a store share: the sweep for due tasks, and the reconciler for
   * lost dispatch messages. Default: the node does a full share.
   */
  readonly duties?: DutyOptions | undefined;
  /** Counts the work of the node. Default: nothing is counted. */
  readonly metrics?: NodeMetrics | undefined;
  /** Records the spans of the node. Default: none are recorded. */
  readonly tracing?: Tracing | undefined;
  /** Called once with the settings of the queues, before the node serves its first call. */
  readonly onQueueSettings?: ((settings: QueueSettings) => void) | undefined;
}

/** Starts a node over an engine. Closing the node closes the engine. */
export async function startNode({ engine, clock, log, ...rest }: NodeOptions): Promise<HoldfastNode> {
  const node = rest.node ?? `${hostname()}/${process.pid}`;
  const createQueues = rest.createQueues ?? true;
  const mayLease = (): boolean => rest.duties?.fitness?.().fit ?? true;
  const { metrics, tracing } = rest;
  const running = await createService({
    ...{ ...engine, node, clock, log, metrics, tracing, createQueues, mayLease },
  });
  rest.onQueueSettings?.(running.context.queues);
  const runtime = startRuntime(running, { version: packageVersion(), ...rest.duties });
  const api = createApi({ service: running.service, clock, log, node, metrics });
  let draining: Promise<void> | undefined;
  let closing: Promise<void> | undefined;
  let beganMs = 0;
  async function drain(limitMs: number): Promise<void> {
    beganMs = clock.monotonic();
    const untilMs = beganMs + Math.min(limitMs, drainLimitMs);
    api.drain();
    await runtime.drain(untilMs - clock.monotonic() - answerMs);
    await within(clock, untilMs - clock.monotonic(), api.finish());
  }
  function drainOnce(limitMs: number): Promise<void> {
    draining ??= drain(limitMs);
    return draining;
  }
  async function close(limitMs: number): Promise<void> {
    await drainOnce(limitMs);
    // An error of the store is the caller's, but a store that does not answer must not keep the process from ending.
    await within(clock, stopLoopsMs, runtime.stop());
    const closed = engine.close();
    if (await within(clock, beganMs + closedByMs - clock.monotonic(), closed)) await closed;
    else log.warn({ after_ms: closedByMs }, 'the store was not closed in time; no accepted task is lost');
  }
  return {
    api,
    service: running.service,
    engine,
    drain: (limitMs = drainLimitMs) => drainOnce(limitMs),
    close(limitMs = drainLimitMs) {
      closing ??= close(limitMs);
      return closing;
    },
  };
}

/** The longest times of the first steps of a stop, in ms. */
const drainLimitMs = 500;
const answerMs = 150;
const stopLoopsMs = 150;
/**
 * The time in ms after the begin of a stop at which it no longer waits for the store, so that the process has ended by
 * `timing.serverStopMs`. Open polls of SQS take a second to end.
 */
const closedByMs = 1_700;

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

/** Opens a node in the caller's own process, for `connect("file:…")` and `connect("memory:")`. */
export async function openEmbedded(
  url: string,
  { log = silentLog, tracing }: Partial<Pick<NodeOptions, 'log' | 'tracing'>> = {},
): Promise<HoldfastNode> {
  const clock = systemClock();
  return startNode({ engine: await openEngine(url, { clock, log }), clock, log, tracing });
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
