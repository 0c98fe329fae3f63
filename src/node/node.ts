/**
 * The composition root: the only place that knows every part. A node is an engine (`opening/`), the service over it, its
 * loops and its API; a server is a node that listens. What is embedded in a caller's process is a node without listeners.
 */
import { hostname } from 'node:os';
import type { HoldfastError } from '../core/errors.ts';
import { timing } from '../core/limits.ts';
import { systemClock } from '../platform/clock.ts';
import { packageVersion } from '../platform/version.ts';
import type { Clock } from '../ports/clock.ts';
import type { Engine } from '../ports/engine.ts';
import { type Log, silentLog } from '../ports/log.ts';
import { createApi, type NodeApi } from '../rpc/api/create-api.ts';
import { type Listening, type ListenOptions, listen } from '../rpc/server/listen.ts';
import type { DutyOptions } from '../runtime/nodes/duties.ts';
import { startRuntime } from '../runtime/runtime.ts';
import type { QueueSettings } from '../service/admin/queue-settings.ts';
import { createService } from '../service/create-service.ts';
import type { Service } from '../service/service.ts';
import type { AwsStore } from './open/aws.ts';
import type { EngineChoice, OpenedStore } from './open/opened.ts';
import { openEngine, openStore } from './open/store.ts';

export interface HoldfastNode {
  readonly api: NodeApi;
  readonly service: Service;
  readonly engine: Engine;
  /**
   * Stops giving work, lets what runs finish within `limitMs` (default 30 s), then closes the store. Leases that
   * remain are spent in time and taken over. Idempotent.
   */
  close(limitMs?: number): Promise<void>;
}

export interface NodeOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly log: Log;
  readonly node?: string | undefined;
  /** Default true: a queue comes into being at its first use. */
  readonly createQueues?: boolean | undefined;
  /** Its part of what is done once for all nodes of a store. Default: all of its share. */
  readonly duties?: DutyOptions | undefined;
  /** Told once where the queues' configuration is kept, before the first call is served. */
  readonly learn?: ((settings: QueueSettings) => void) | undefined;
}

/** Starts a node over an engine. Closing it closes the engine. */
export async function startNode({ engine, clock, log, ...rest }: NodeOptions): Promise<HoldfastNode> {
  const node = rest.node ?? `${hostname()}/${process.pid}`;
  const createQueues = rest.createQueues ?? true;
  const running = await createService({ ...engine, node, clock, log, createQueues });
  rest.learn?.(running.context.queues);
  const runtime = startRuntime(running, { version: packageVersion(), ...rest.duties });
  const api = createApi({ service: running.service, clock, log, node });
  let closing: Promise<void> | undefined;
  async function close(limitMs: number): Promise<void> {
    api.drain();
    await runtime.drain(limitMs);
    await runtime.stop();
    await engine.close();
  }
  return {
    api,
    service: running.service,
    engine,
    close(limitMs = timing.drainMs) {
      closing ??= close(limitMs);
      return closing;
    },
  };
}

async function startOn(
  opened: OpenedStore,
  options: { readonly log: Log; readonly node?: string | undefined; readonly duties?: DutyOptions },
): Promise<HoldfastNode> {
  try {
    return await startNode({ ...opened, ...options, duties: { ...opened.duties, ...options.duties } });
  } catch (thrown) {
    await opened.engine.close();
    throw opened.startError?.(thrown) ?? thrown;
  }
}

/** A node in the caller's own process, for `connect("file:…")` and `connect("memory:")`. */
export async function openEmbedded(url: string, log: Log = silentLog): Promise<HoldfastNode> {
  const clock = systemClock();
  return startNode({ engine: await openEngine(url, { clock, log }), clock, log });
}

/**
 * A node for the workers of this process alone, on the store that servers share: it hears bells by itself, and leaves
 * sweeping and reconciling to the servers.
 */
export async function openWorkerNode(
  store: AwsStore,
  choice: EngineChoice,
): Promise<{ readonly node: HoldfastNode; readonly clock: Clock; readonly drainMs: number }> {
  const opened = await openStore(store, choice);
  const node = await startOn(opened, { log: choice.log, duties: { takesPart: false } });
  return { node, clock: opened.clock, drainMs: opened.drainMs };
}

export interface ServeOptions extends Omit<ListenOptions, 'api'> {
  /** `file:<path>`, `memory:`, or a table that servers share. */
  readonly store: string | AwsStore;
  readonly node?: string | undefined;
  readonly onFatal?: ((error: HoldfastError) => void) | undefined;
}

export interface Serving {
  readonly listening: Listening;
  readonly node: HoldfastNode;
  /**
   * In order: no new connections, no new work, what runs finishes, streams close, the store is checkpointed. Default
   * limit: 30 s, on AWS 110 s.
   */
  close(limitMs?: number): Promise<void>;
}

/** Opens the store, starts the node and listens. Where it can't listen, the store is closed again. */
export async function serve({ store, node: name, onFatal, ...options }: ServeOptions): Promise<Serving> {
  const { log } = options;
  const opened = await openStore(store, { clock: options.clock, log, onFatal });
  const { clock, corrected, drainMs } = opened;
  const node = await startOn(opened, { log, node: name });
  let listening: Listening;
  try {
    listening = await listen({ ...options, clock, api: node.api });
  } catch (thrown) {
    await node.close(0);
    throw thrown;
  }
  if (corrected !== undefined) {
    listening.ready(corrected.fit);
    corrected.onFitness(() => listening.ready(corrected.fit));
  }
  return {
    listening,
    node,
    async close(limitMs = drainMs) {
      listening.drain();
      await node.close(limitMs);
      await listening.close();
    },
  };
}
