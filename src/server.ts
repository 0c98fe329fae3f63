/**
 * The composition root: the only place that knows every part. A node is an engine, the service over it, its loops and
 * its API; a server is a node that listens. What is embedded in a caller's process is a node without listeners.
 */
import { hostname } from 'node:os';
import { HoldfastError } from './core/errors.ts';
import { timing } from './core/limits.ts';
import type { Priority } from './core/submission.ts';
import { memory } from './engines/memory/index.ts';
import { sqlite } from './engines/sqlite/index.ts';
import { systemClock } from './platform/clock.ts';
import { type CorrectedClock, correctedClock } from './platform/corrected-clock.ts';
import { packageVersion } from './platform/version.ts';
import type { Clock } from './ports/clock.ts';
import type { Engine } from './ports/engine.ts';
import { type Log, silentLog } from './ports/log.ts';
import type { QueueRef } from './ports/task-store.ts';
import { createApi, type NodeApi } from './rpc/api/create-api.ts';
import { type Listening, type ListenOptions, listen } from './rpc/server/listen.ts';
import type { DutyOptions } from './runtime/duties.ts';
import { startRuntime } from './runtime/runtime.ts';
import { createService } from './service/create-service.ts';
import type { QueueSettings } from './service/queue-settings.ts';
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

export interface EngineChoice {
  readonly clock: Clock;
  readonly log: Log;
  /** The store let go of its file: the process must end, and the next start recovers. */
  readonly onFatal?: ((error: HoldfastError) => void) | undefined;
}

/** A DynamoDB table and SQS queues, which `holdfast aws init` made. */
export interface AwsStore {
  readonly table: string;
  /** What the names of the SQS queues begin with. Default: the table's name. */
  readonly queuePrefix?: string | undefined;
  /** Default: as the AWS SDK finds it. */
  readonly region?: string | undefined;
  /** In place of AWS's own. */
  readonly endpointDynamodb?: string | undefined;
  readonly endpointSqs?: string | undefined;
}

/** An engine, and what a node on it needs to know. */
interface OpenedStore {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly createQueues: boolean;
  /** How long running work gets when the node closes. */
  readonly drainMs: number;
  readonly duties?: DutyOptions;
  readonly learn?: (settings: QueueSettings) => void;
  /** Where the clock is measured by the store's. */
  readonly corrected?: CorrectedClock;
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

/** Loaded when it is asked for: the AWS SDK is installed by those who use it. */
export async function loadAws(): Promise<typeof import('./engines/aws/index.ts')> {
  try {
    return await import('./engines/aws/index.ts');
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code !== 'ERR_MODULE_NOT_FOUND' || !message.includes('@aws-sdk/')) throw thrown;
    throw new HoldfastError(
      'FAILED_PRECONDITION',
      'BAD_CONFIGURATION',
      'The AWS SDK is not installed here.',
      {
        cause: thrown,
        help: 'Run `npm install @aws-sdk/client-dynamodb @aws-sdk/client-sqs`.',
      },
    );
  }
}

/** How the clients of the AWS SDK are configured for a store; what is absent they find by themselves. */
export function awsClients({ region, endpointDynamodb, endpointSqs }: AwsStore) {
  const common = region === undefined ? {} : { region };
  return {
    dynamodb: { ...common, ...(endpointDynamodb && { endpoint: endpointDynamodb }) },
    // Whoever stands in for SQS gives URLs of its own notion.
    sqs: { ...common, ...(endpointSqs && { endpoint: endpointSqs, useQueueUrlAsEndpoint: false }) },
  };
}

async function openAws(store: AwsStore, { clock: machine, log }: EngineChoice): Promise<OpenedStore> {
  const { aws, ensureRegion } = await loadAws();
  const clients = awsClients(store);
  await ensureRegion(clients.dynamodb);
  const clock = correctedClock(machine);
  let settings: QueueSettings | undefined;
  // As they were when this process met the queue: what listens to it listens to these until it ends.
  const met = new Map<string, readonly Priority[]>();
  const prioritiesOf = (queue: QueueRef): readonly Priority[] => {
    const name = `${queue.tenant}/${queue.queue}`;
    if (!met.has(name) && settings?.has(queue)) met.set(name, settings.of(queue).priorities ?? []);
    return met.get(name) ?? [];
  };
  const engine = aws({
    table: store.table,
    prefix: store.queuePrefix,
    clock,
    timekeeper: clock,
    log,
    prioritiesOf,
    ...clients,
  });
  clock.onFitness(() => tellFitness(clock, log));
  return {
    engine,
    clock,
    corrected: clock,
    createQueues: false,
    drainMs: timing.drainAwsMs,
    duties: { fitness: () => ({ fit: clock.fit, clockOffsetMs: clock.offsetMs }) },
    learn: (queues) => {
      settings = queues;
    },
  };
}

function tellFitness({ fit, offsetMs: clock_offset_ms }: CorrectedClock, log: Log): void {
  if (fit) log.info({ clock_offset_ms }, 'the clock is right again: this node takes its share again');
  else {
    const what = 'this machine’s clock is more than 2 s off AWS’s: the node stops sweeping and is not ready';
    log.error(
      { clock_offset_ms, help: 'Let it follow a time service (chrony with 169.254.169.123 on AWS).' },
      what,
    );
  }
}

async function openStore(store: string | AwsStore, choice: EngineChoice): Promise<OpenedStore> {
  if (typeof store !== 'string') return openAws(store, choice);
  const engine = await openEngine(store, choice);
  return { engine, clock: choice.clock, createQueues: true, drainMs: timing.drainMs };
}

async function startOn(
  opened: OpenedStore,
  options: { readonly log: Log; readonly node?: string | undefined; readonly duties?: DutyOptions },
): Promise<HoldfastNode> {
  try {
    return await startNode({ ...opened, ...options, duties: { ...opened.duties, ...options.duties } });
  } catch (thrown) {
    await opened.engine.close();
    throw thrown;
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
