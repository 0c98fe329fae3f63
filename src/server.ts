/**
 * The composition root: the only place that knows every part. A node is an engine, the service over it, its loops and
 * its API; a server is a node that listens. What is embedded in a caller's process is a node without listeners.
 */
import { hostname } from 'node:os';
import { HoldfastError } from './core/errors.ts';
import { timing } from './core/limits.ts';
import { memory } from './engines/memory/index.ts';
import { sqlite } from './engines/sqlite/index.ts';
import { systemClock } from './platform/clock.ts';
import type { Clock } from './ports/clock.ts';
import type { Engine } from './ports/engine.ts';
import { type Log, silentLog } from './ports/log.ts';
import { createApi, type NodeApi } from './rpc/api/create-api.ts';
import { type Listening, type ListenOptions, listen } from './rpc/server/listen.ts';
import { startRuntime } from './runtime/runtime.ts';
import { createService } from './service/create-service.ts';
import type { Service } from './service/service.ts';

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
}

/** Starts a node over an engine. Closing it closes the engine. */
export async function startNode({ engine, clock, log, ...rest }: NodeOptions): Promise<HoldfastNode> {
  const node = rest.node ?? `${hostname()}/${process.pid}`;
  const createQueues = rest.createQueues ?? true;
  const running = await createService({ ...engine, node, clock, log, createQueues });
  const runtime = startRuntime(running);
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

export interface EngineChoice {
  readonly clock: Clock;
  readonly log: Log;
  /** The store let go of its file: the process must end, and the next start recovers. */
  readonly onFatal?: ((error: HoldfastError) => void) | undefined;
}

/** `file:<path>` is the embedded store, `memory:` is gone with the process. Anything else: BAD_CONFIGURATION. */
export async function openEngine(url: string, choice: EngineChoice): Promise<Engine> {
  if (url === 'memory:') return memory({ clock: choice.clock, bells: 'in-commit' });
  if (url.startsWith('file:')) {
    const path = url.slice('file:'.length).replace(/^\/\/(?=\/)/, '');
    if (path !== '') return sqlite({ path, ...choice });
  }
  throw new HoldfastError('INVALID_ARGUMENT', 'BAD_CONFIGURATION', `'${url}' names no store.`, {
    help: 'Use file:./queue.db for a store in a file, or memory: for one that is gone with the process.',
  });
}

/** A node in the caller's own process, for `connect("file:…")` and `connect("memory:")`. */
export async function openEmbedded(url: string, log: Log = silentLog): Promise<HoldfastNode> {
  const clock = systemClock();
  return startNode({ engine: await openEngine(url, { clock, log }), clock, log });
}

export interface ServeOptions extends Omit<ListenOptions, 'api'> {
  /** `file:<path>` or `memory:`. */
  readonly store: string;
  readonly node?: string | undefined;
  readonly onFatal?: ((error: HoldfastError) => void) | undefined;
}

export interface Serving {
  readonly listening: Listening;
  readonly node: HoldfastNode;
  /** In order: no new connections, no new work, what runs finishes, streams close, the store is checkpointed. */
  close(limitMs?: number): Promise<void>;
}

/** Opens the store, starts the node and listens. Where it can't listen, the store is closed again. */
export async function serve({ store, node: name, onFatal, ...options }: ServeOptions): Promise<Serving> {
  const { clock, log } = options;
  const engine = await openEngine(store, { clock, log, onFatal });
  const node = await startNode({ engine, clock, log, node: name });
  let listening: Listening;
  try {
    listening = await listen({ ...options, api: node.api });
  } catch (thrown) {
    await node.close(0);
    throw thrown;
  }
  return {
    listening,
    node,
    async close(limitMs) {
      listening.drain();
      await node.close(limitMs);
      await listening.close();
    },
  };
}
