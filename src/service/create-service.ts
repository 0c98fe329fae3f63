import type { Broker } from '../ports/broker.ts';
import type { Clock } from '../ports/clock.ts';
import type { DeadLetters } from '../ports/dead-letters.ts';
import type { Log } from '../ports/log.ts';
import type { Overload } from '../ports/overload.ts';
import type { Registry } from '../ports/registry.ts';
import type { TaskStore } from '../ports/task-store.ts';
import * as admin from './admin/admin.ts';
import { QueueSettings } from './admin/queue-settings.ts';
import { cancel } from './cancel.ts';
import { claim } from './claim/claim.ts';
import { RecentClaims } from './claim/recent-claims.ts';
import type { ServiceContext } from './context.ts';
import { drainDeadLetters } from './redrive/drain-dead-letters.ts';
import { redrive, redriveMany } from './redrive/redrive.ts';
import { Redriven } from './redrive/redrive-notes.ts';
import type { Service } from './service.ts';
import { openSession } from './session/session.ts';
import { createSessions } from './session/sessions.ts';
import { heartbeat } from './settle/heartbeat.ts';
import { createHeldLeases } from './settle/held-leases.ts';
import { settle } from './settle/settle.ts';
import { submit } from './submit/submit.ts';
import { createFeed } from './watch/change-feed.ts';
import { get, getByKey, history, verify, view, watch } from './watch/query.ts';
import { WatchedTasks } from './watch/watched-tasks.ts';

export interface ServiceOptions {
  /** Names this process among its peers. */
  readonly node: string;
  readonly store: TaskStore;
  readonly broker: Broker;
  readonly registry: Registry;
  /** Asked before any work of a submission. Absent: all are admitted. */
  readonly overload?: Overload | undefined;
  /** Told of every death. Absent: nobody is. */
  readonly deadLetters?: DeadLetters | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Queues come into being at their first use; where false they must be configured. */
  readonly createQueues: boolean;
}

/** The service, and what the runtime's loops need of it. */
export interface RunningService {
  readonly service: Service;
  readonly context: ServiceContext;
  /** Resolves when all that was begun after an answer is done, sessions excepted. */
  settled(): Promise<void>;
}

export async function createService(options: ServiceOptions): Promise<RunningService> {
  const { log } = options;
  const going = new Set<Promise<void>>();
  const queues = new QueueSettings(options.registry, options.createQueues);
  await queues.refresh();
  const feed = createFeed();
  const context: ServiceContext = {
    ...options,
    processId: options.clock.uuid(),
    queues,
    feed,
    watched: new WatchedTasks({ store: options.store, clock: options.clock, feed }),
    held: createHeldLeases(),
    sessions: createSessions(),
    redriven: new Redriven(options),
    background(what, work) {
      const watched = work.then(
        () => {},
        (err: unknown) => log.warn({ err, what }, 'background work failed; it will be repeated'),
      );
      if (what === 'session') return;
      going.add(watched);
      void watched.then(() => going.delete(watched));
    },
  };
  return {
    service: serviceOf(context),
    context,
    async settled() {
      while (going.size > 0) await Promise.all(going);
    },
  };
}

function serviceOf(context: ServiceContext): Service {
  const recent = new RecentClaims();
  return {
    submit: (target, items, call) => submit(context, target, items, call),
    get: (tenant, id, withResult) => get(context, tenant, id, withResult),
    getByKey: (scope, withResult) => getByKey(context, scope, withResult),
    list: (filter, page) => context.store.list(filter, { ...page, nowMs: context.clock.now() }),
    history: (tenant, id, fromVersion) => history(context, tenant, id, fromVersion),
    verify: (tenant, id) => verify(context, tenant, id),
    watch: (tenant, id, fromVersion, signal) => watch(context, tenant, id, fromVersion, signal),
    cancel: async (tenant, id, by) => view(context, await cancel(context, tenant, id, by), false),
    redrive: async (tenant, id, actor) => view(context, await redrive(context, tenant, id, actor), false),
    redriveMany: (request) => redriveMany(context, request),
    drainDeadLetters: (request) => drainDeadLetters(context, request),
    openSession: (hello, sink) => openSession(context, hello, sink),
    settle: (items, to) => settle(context, items, to),
    heartbeat: (items, from) => heartbeat(context, items, from),
    claim: (request) => claim(context, recent, request),
    queues: (tenant) => admin.queues(context, tenant),
    queue: (ref) => admin.queue(context, ref),
    updateQueue: (ref, change, actor) => admin.updateQueue(context, ref, change, actor),
    workers: (tenant, queue) => admin.workers(context, tenant, queue),
  };
}
