import type { Broker } from '../ports/broker.ts';
import type { Clock } from '../ports/clock.ts';
import type { DeadLetters } from '../ports/dead-letters.ts';
import type { Engine } from '../ports/engine.ts';
import type { Log } from '../ports/log.ts';
import type { NodeMetrics } from '../ports/metrics.ts';
import type { Overload } from '../ports/overload.ts';
import type { Registry } from '../ports/registry.ts';
import type { TaskStore } from '../ports/task-store.ts';
import { noTracing, type Tracing } from '../ports/tracing.ts';
import * as admin from './admin/admin.ts';
import { MissingQueueLog } from './admin/missing-queue-log.ts';
import { QueueSettings } from './admin/queue-settings.ts';
import { cancel } from './cancel.ts';
import { claim } from './claim/claim.ts';
import { LeaseGrace } from './claim/lease-grace.ts';
import { Pollers } from './claim/pollers.ts';
import { TurnsByWorker } from './claim/queue-turns.ts';
import { RecentClaims } from './claim/recent-claims.ts';
import type { ServiceContext } from './context.ts';
import { explain, explainByKey } from './explain/explain.ts';
import { trouble } from './explain/trouble.ts';
import { drainDeadLetters } from './redrive/drain-dead-letters.ts';
import { redispatch } from './redrive/redispatch.ts';
import { redrive, redriveMany } from './redrive/redrive.ts';
import { RedriveNotes } from './redrive/redrive-notes.ts';
import { CutReleases } from './reserved/cut-releases.ts';
import { Rebalance } from './reserved/rebalance.ts';
import type { Service } from './service.ts';
import { openSession } from './session/session.ts';
import { createSessions } from './session/sessions.ts';
import { heartbeat } from './settle/heartbeat.ts';
import { createHeldLeases } from './settle/held-leases.ts';
import { settle } from './settle/settle.ts';
import { submit } from './submit/submit.ts';
import { createChangeFeed } from './watch/change-feed.ts';
import { get, getByKey, history, list, verify, view } from './watch/query.ts';
import { StreamWatches } from './watch/task-watches.ts';
import { WatchedTasks } from './watch/watched-tasks.ts';

export interface ServiceOptions {
  /** The name of this process among the nodes that share the store. */
  readonly node: string;
  readonly store: TaskStore;
  readonly broker: Broker;
  readonly registry: Registry;
  /**
   * The overload guard: admits or refuses a submission before any work is done for it. If absent, every submission is
   * admitted.
   */
  readonly overload?: Overload | undefined;
  /** Publishes a notice to the dead-letter queue for each task that dies. If absent, no notices are published. */
  readonly deadLetters?: DeadLetters | undefined;
  /** Returns since when the store has been full. If absent, the store is never full. */
  readonly fullStore?: Engine['fullStore'] | undefined;
  /** Counts what the use cases do. If absent, nothing is counted. */
  readonly metrics?: NodeMetrics | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** True if a queue is created at its first use; false if it must be configured beforehand. */
  readonly createQueues: boolean;
  /** Records the spans of this node. Default: none are recorded. */
  readonly tracing?: Tracing | undefined;
  /** Returns false while the node may give out no leases. Default: it always may. */
  readonly mayLease?: (() => boolean) | undefined;
}

/** The service, with the context that the background loops of the node (sweep, reconciler …) use. */
export interface RunningService {
  readonly service: Service;
  readonly context: ServiceContext;
  /**
   * Resolves when all background work of the service is done. It does not wait for sessions, which last as long as their
   * streams.
   */
  settled(): Promise<void>;
}

export async function createService(options: ServiceOptions): Promise<RunningService> {
  const { log } = options;
  const running = new Set<Promise<void>>();
  const queues = new QueueSettings(options.registry, options.createQueues);
  await queues.refresh();
  const feed = createChangeFeed();
  const sessions = createSessions();
  const heldLeases = createHeldLeases();
  const logFailure = (what: string, work: Promise<unknown>): Promise<void> =>
    work.then(
      () => {},
      (err: unknown) => log.warn({ err, what }, 'background work failed; it will be repeated'),
    );
  const context: ServiceContext = {
    ...options,
    mayLease: options.mayLease ?? (() => true),
    tracing: options.tracing ?? noTracing,
    processId: options.clock.uuid(),
    queues,
    missingQueues: new MissingQueueLog(queues, log, options.clock),
    changeFeed: feed,
    watchedTasks: new WatchedTasks({ store: options.store, clock: options.clock, feed }),
    heldLeases,
    leaseGrace: new LeaseGrace(options),
    sessions,
    pollers: new Pollers(options.clock),
    cutReleases: new CutReleases(),
    rebalance: new Rebalance(options.clock, sessions, heldLeases),
    redriveNotes: new RedriveNotes(options),
    background(what, work) {
      const finished = logFailure(what, work);
      running.add(finished);
      void finished.then(() => running.delete(finished));
    },
    runSession: (session) => void logFailure('session', session),
  };
  return {
    service: serviceOf(context),
    context,
    async settled() {
      while (running.size > 0) await Promise.all(running);
    },
  };
}

function serviceOf(context: ServiceContext): Service {
  const recent = new RecentClaims();
  const turns = new TurnsByWorker();
  return {
    submit: (target, items, call) => submit(context, target, items, call),
    get: (tenant, id, withResult) => get(context, tenant, id, withResult),
    getByKey: (scope, withResult) => getByKey(context, scope, withResult),
    explain: (tenant, id) => explain(context, tenant, id),
    explainByKey: (scope) => explainByKey(context, scope),
    trouble: (request) => trouble(context, request),
    list: (filter, page) => list(context, filter, page),
    history: (tenant, id, fromVersion) => history(context, tenant, id, fromVersion),
    verify: (tenant, id) => verify(context, tenant, id),
    watchTasks: (changed) => new StreamWatches(context, changed),
    cancel: async (tenant, id, by) => view(context, await cancel(context, tenant, id, by), false),
    redrive: async (tenant, id, actor) => view(context, await redrive(context, tenant, id, actor), false),
    redriveMany: (request) => redriveMany(context, request),
    drainDeadLetters: (request) => drainDeadLetters(context, request),
    redispatch: (request) => redispatch(context, request),
    openSession: (hello, sink) => openSession(context, hello, sink),
    settle: (items, to) => settle(context, items, to),
    hellosOf: (sessionId) => context.sessions.get(sessionId)?.hellos,
    heartbeat: (items, from) => heartbeat(context, items, from),
    claim: (request) => claim(context, recent, turns, request),
    queues: (tenant, options) => admin.queues(context, tenant, options),
    queue: (ref) => admin.queue(context, ref),
    updateQueue: (ref, change, actor) => admin.updateQueue(context, ref, change, actor),
    workers: (tenant, queue) => admin.workers(context, tenant, queue),
  };
}
