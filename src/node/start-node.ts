/**
 * Puts a node together over an open engine: the service, its background loops and its API. This file imports no engine and no
 * listener, so that a bundle of an embedded store holds neither the AWS engine nor the server.
 */
import { hostname } from 'node:os';
import { packageVersion } from '../platform/version.ts';
import type { Clock } from '../ports/clock.ts';
import type { Engine } from '../ports/engine.ts';
import type { Log } from '../ports/log.ts';
import type { NodeMetrics } from '../ports/metrics.ts';
import type { Tracing } from '../ports/tracing.ts';
import { createApi, type NodeApi } from '../rpc/api/create-api.ts';
import type { DutyOptions } from '../runtime/nodes/duties.ts';
import { startRuntime } from '../runtime/runtime.ts';
import { within } from '../runtime/within.ts';
import type { QueueSettings } from '../service/admin/queue-settings.ts';
import { createService } from '../service/create-service.ts';
import type { Service } from '../service/service.ts';

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
  const runtime = startRuntime(running, { version: packageVersion, ...rest.duties });
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
