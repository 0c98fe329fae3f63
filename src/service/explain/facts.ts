import type {
  ExplainedTask,
  ExplainFacts,
  FullStoreFact,
  MessageFact,
  ThrottleFact,
} from '../../core/explain/facts.ts';
import { newestOf } from '../../core/explain/last-event.ts';
import { queueKey } from '../../core/queue-ref.ts';
import { isEnded, isReady } from '../../core/task/head.ts';
import type { LaneKey, Snapshot } from '../../ports/task-store.ts';
import type { ServiceContext } from '../context.ts';
import { laneOf } from '../hand-over.ts';
import { nextExaminedAtMs } from '../redrive/reconcile-schedule.ts';
import { WorkerFactsReader } from './worker-facts.ts';

/**
 * How long requests to a dependency must have been throttled or failed, in ms, before this counts as the cause for which a
 * task waits. A single throttled request is repeated within less.
 */
const troubledForMs = 2_000;
/** The time in ms after which SQS counts every message that was sent. */
const countedAfterMs = 60_000;

const noSpec = new Uint8Array();
const nobody = { workers: [], areWorkersComplete: false } as const;

/** Returns the dependency that refuses or fails calls of this node now, if there is one. */
function throttleOf({ overload, clock }: ServiceContext): ThrottleFact | undefined {
  const nowMs = clock.now();
  for (const load of Object.values(overload?.view().dependencies ?? {})) {
    const { title, state, troubledSinceMs: sinceMs, retryAtMs } = load;
    const isTroubled = sinceMs !== undefined && nowMs - sinceMs >= troubledForMs;
    if (state !== 'closed' || isTroubled) return { dependency: title, sinceMs, retryAtMs };
  }
  return undefined;
}

/** Returns whether a task that was the first of its lane when the lane was read still holds the others up. */
function blocks(front: ExplainedTask): boolean {
  return !isEnded(front.head) || front.head.holdsLane;
}

function laneText({ tenant, queue, orderingKey }: LaneKey): string {
  return `${tenant}/${queue}/${orderingKey}`;
}

/**
 * Reads the facts of one or more tasks. A fact that several of the tasks share is read once: the workers' announcements, the
 * first task of a lane, the number of a queue's messages.
 */
export class FactReader {
  readonly #context: ServiceContext;
  readonly #workers: WorkerFactsReader;
  readonly #fronts = new Map<string, Promise<ExplainedTask | undefined>>();
  readonly #messages = new Map<string, Promise<number | undefined>>();

  constructor(context: ServiceContext) {
    this.#context = context;
    this.#workers = new WorkerFactsReader(context);
  }

  get throttle(): ThrottleFact | undefined {
    return throttleOf(this.#context);
  }

  get fullStore(): FullStoreFact | undefined {
    return this.#context.fullStore?.();
  }

  /** True if every worker is known, as far as the workers were read for a task. */
  get areWorkersComplete(): Promise<boolean> {
    return this.#workers.areComplete;
  }

  /** The number of lanes that were read. */
  get lanes(): number {
    return this.#fronts.size;
  }

  /** Returns true if the facts of this task need the read of a lane that was not read yet. */
  needsLane(snapshot: Snapshot): boolean {
    const lane = snapshot.head.state === 'waiting' ? laneOf(snapshot) : undefined;
    return lane !== undefined && !this.#fronts.has(laneText(lane));
  }

  /**
   * Reads all that decides why a task has not completed: at most the workers' announcements, the first task of its lane and,
   * for a task that has been ready for a minute beside SQS, the number of its queue's messages. Ended tasks need no read.
   */
  async of(snapshot: Snapshot): Promise<ExplainFacts> {
    const { clock, heldLeases, leaseGrace, queues } = this.#context;
    const { id, head, submission } = snapshot;
    const waits = head.state === 'waiting';
    const laneFront = waits ? await this.#laneFrontOf(snapshot) : undefined;
    const mayBegin = isReady(head) && laneFront === undefined;
    const [workers, message] = await Promise.all([
      waits ? this.#workers.of(submission) : nobody,
      mayBegin ? this.#messageOf(snapshot) : this.#storedMessage,
    ]);
    const nowMs = clock.now();
    const held = head.state === 'running' ? heldLeases.get(id, head.fencingToken) : undefined;
    const { paused, pause } = queues.of(submission.scope);
    return {
      nowMs,
      isQueuePaused: paused,
      pause,
      ...workers,
      laneFront,
      throttle: this.throttle,
      fullStore: waits ? this.fullStore : undefined,
      message,
      lastHeartbeatAtMs: held?.lastReportAtMs,
      begun: held?.begun === true,
      noExpiryBeforeMs: leaseGrace.notBeforeMs(nowMs),
    };
  }

  /** Reads the first task of the task's lane, unless it has ended and its lane goes on. */
  async #laneFrontOf(snapshot: Snapshot): Promise<ExplainedTask | undefined> {
    const lane = laneOf(snapshot);
    if (lane === undefined) return undefined;
    const key = laneText(lane);
    const reading = this.#fronts.get(key) ?? this.#readFront(lane, snapshot);
    this.#fronts.set(key, reading);
    const front = await reading;
    return front === undefined || front.id === snapshot.id || !blocks(front) ? undefined : front;
  }

  /** The first task of a lane need not be read again if it is the task that is explained. Its payload is not kept. */
  async #readFront(lane: LaneKey, snapshot: Snapshot): Promise<ExplainedTask | undefined> {
    const { store, clock } = this.#context;
    const lowest = await store.lowest(lane);
    if (lowest === undefined) return undefined;
    const [front] = lowest.id === snapshot.id ? [snapshot] : await store.read([lowest.id], clock.now());
    return front && { ...front, submission: { ...front.submission, spec: noSpec } };
  }

  /** The messages of an embedded store are part of its commit, so that none is lost. */
  get #storedMessage(): MessageFact | undefined {
    const { can } = this.#context.store;
    return can.transactionalDispatch ? { isLost: false, resentAtMs: undefined } : undefined;
  }

  /**
   * Returns whether the dispatch message of a ready task is lost. A
   * broker beside the store knows about how many messages a queue has, but not which: the message is lost if there is none.
   */
  async #messageOf({ submission, head, tip }: Snapshot): Promise<MessageFact | undefined> {
    const { broker, clock } = this.#context;
    if (this.#storedMessage !== undefined) return this.#storedMessage;
    const nowMs = clock.now();
    if (broker.approximateMessages === undefined || nowMs - head.lastEventAtMs < countedAfterMs)
      return undefined;
    const { tenant, queue } = submission.scope;
    const key = queueKey({ tenant, queue });
    const counting =
      this.#messages.get(key) ?? broker.approximateMessages({ tenant, queue }).catch(() => undefined);
    this.#messages.set(key, counting);
    const sinceMs = newestOf({ tip }, 'redriven')?.atMs ?? submission.acceptedAtMs;
    return (await counting) === 0
      ? { isLost: true, resentAtMs: nextExaminedAtMs(sinceMs, nowMs) }
      : undefined;
  }
}

/** Reads the facts of one task. */
export function factsFor(context: ServiceContext, snapshot: Snapshot): Promise<ExplainFacts> {
  return new FactReader(context).of(snapshot);
}
