import { limits, timing } from '../../core/limits.ts';
import type { Clock } from '../../ports/clock.ts';
import type { ClaimRequest, KnownWorkers, WorkerView } from '../service.ts';
import { keyOfWorker, type WorkerReference } from '../session/sessions.ts';

/** The part of a claim request that says who polls, and for which tasks. */
type Poll = Pick<ClaimRequest, 'tenant' | 'workerName' | 'workerId' | 'queues' | 'types' | 'caller'>;

/** A worker that claims by single calls. Calls of one worker with other queues or types are a poller of their own. */
interface Poller {
  readonly poll: Poll;
  readonly bytes: number;
  /** The first of its polls between which less than a minute passed, in ms since the epoch. */
  readonly sinceMs: number;
  /** When its last call began or ended, in ms of the monotonic clock. */
  polledAtMs: number;
  /** The number of its calls that wait for tasks now. */
  waiting: number;
}

/** The pollers of one identity by their keys, the one whose last poll is oldest first. */
interface CallersPollers {
  readonly byKey: Map<string, Poller>;
  bytes: number;
}

/** The estimated memory of a poller, and of each name of a queue or type beside its characters, in bytes. */
const pollerBytes = 512;
const nameBytes = 64;

function bytesOf({ workerName, workerId, queues, types }: Poll): number {
  const names = [workerName, workerId, ...queues, ...types.map(({ type }) => type)];
  return names.reduce((sum, name) => sum + name.length + nameBytes, pollerBytes);
}

function keyOf({ tenant, workerName, workerId, queues, types }: Poll): string {
  const handled = types.map(({ type, maxVersion }) => [type, maxVersion]);
  return JSON.stringify([tenant, workerName, workerId, queues, handled]);
}

/**
 * The workers that claim by single calls to this node instead of a stream. Such a worker is known for a minute after its
 * last poll, so that a list of workers shows it and a task that it handles does not count as unhandled. If an identity
 * has more pollers than its memory holds, the one that polled longest ago is forgotten first.
 */
export class Pollers {
  readonly #clock: Clock;
  readonly #callers = new Map<string, CallersPollers>();
  #bytes = 0;
  /** When a poller was last forgotten within its minute, in ms of the monotonic clock. */
  #droppedAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Records that a claim call begins. Returns a function that records its end. */
  begin({ tenant, workerName, workerId, queues, types, caller }: Poll): () => void {
    const poll = { tenant, workerName, workerId, queues, types, caller };
    const key = keyOf(poll);
    this.#polled(key, poll, 1);
    return () => this.#polled(key, poll, -1);
  }

  /**
   * Lists the pollers, the one with the newest poll first. `heldBy` returns the number of tasks that a worker holds; a worker
   * with several entries has them in the first one. The list is incomplete for a minute after a poller was forgotten.
   */
  list(node: string, heldBy: (worker: WorkerReference) => number): KnownWorkers {
    this.#forgetOld();
    const nowMs = this.#clock.monotonic();
    const pollers = [...this.#callers.values()].flatMap(({ byKey }) => [...byKey.values()]);
    const newestFirst = pollers.sort((one, other) => other.polledAtMs - one.polledAtMs);
    const counted = new Set<string>();
    const tasksOf = ({ tenant, workerName, workerId }: Poll): number => {
      const worker = `${workerName}/${workerId}`;
      const key = keyOfWorker({ tenant, worker });
      if (counted.has(key)) return 0;
      counted.add(key);
      return heldBy({ tenant, worker });
    };
    return {
      workers: newestFirst.map(({ poll, sinceMs }) => viewOf(poll, sinceMs, node, tasksOf(poll))),
      isComplete: nowMs - this.#droppedAtMs >= timing.pollerKnownMs,
    };
  }

  /** Returns true if a call of this poller waits for tasks now; undefined if the node does not know when it calls again. */
  hasRoom({ tenant, name, id, queues, types, maxVersions }: WorkerView): true | undefined {
    const handled = types.map((type, i) => ({ type, maxVersion: maxVersions[i] ?? 1 }));
    const key = keyOf({ tenant, workerName: name, workerId: id, queues, types: handled });
    const isWaiting = [...this.#callers.values()].some(({ byKey }) => (byKey.get(key)?.waiting ?? 0) > 0);
    return isWaiting ? true : undefined;
  }

  #polled(key: string, poll: Poll, calls: 1 | -1): void {
    const caller = poll.caller ?? '';
    const all = this.#callers.get(caller) ?? { byKey: new Map<string, Poller>(), bytes: 0 };
    this.#callers.set(caller, all);
    const nowMs = this.#clock.monotonic();
    const before = all.byKey.get(key);
    const isCurrent = before !== undefined && nowMs - before.polledAtMs < timing.pollerKnownMs;
    const poller = isCurrent
      ? before
      : { poll, bytes: bytesOf(poll), sinceMs: this.#clock.now(), polledAtMs: nowMs, waiting: 0 };
    if (before !== undefined) this.#remove(caller, key);
    poller.polledAtMs = nowMs;
    poller.waiting = Math.max(0, poller.waiting + calls);
    this.#callers.set(caller, all);
    all.byKey.set(key, poller);
    all.bytes += poller.bytes;
    this.#bytes += poller.bytes;
    while (all.bytes > limits.pollerBytesPerIdentity && all.byKey.size > 1) this.#drop(caller);
    while (this.#bytes > limits.pollerBytes) this.#drop(this.#largest(caller));
  }

  /** Forgets the poller of an identity whose last poll is oldest. */
  #drop(caller: string): void {
    const [oldest] = this.#callers.get(caller)?.byKey ?? [];
    if (oldest === undefined) return;
    const [key, { polledAtMs }] = oldest;
    const nowMs = this.#clock.monotonic();
    if (nowMs - polledAtMs < timing.pollerKnownMs) this.#droppedAtMs = nowMs;
    this.#remove(caller, key);
  }

  #largest(caller: string): string {
    let largest = caller;
    let most = 0;
    for (const [name, { bytes }] of this.#callers) {
      if (bytes <= most) continue;
      largest = name;
      most = bytes;
    }
    return largest;
  }

  #remove(caller: string, key: string): void {
    const all = this.#callers.get(caller);
    const poller = all?.byKey.get(key);
    if (all === undefined || poller === undefined) return;
    all.byKey.delete(key);
    all.bytes -= poller.bytes;
    this.#bytes -= poller.bytes;
    if (all.byKey.size === 0) this.#callers.delete(caller);
  }

  #forgetOld(): void {
    const oldestMs = this.#clock.monotonic() - timing.pollerKnownMs;
    for (const [caller, { byKey }] of this.#callers) {
      for (const [key, { polledAtMs }] of byKey) {
        if (polledAtMs > oldestMs) break;
        this.#remove(caller, key);
      }
    }
  }
}

function viewOf(
  { tenant, workerName: name, workerId: id, queues, types }: Poll,
  connectedAtMs: number,
  node: string,
  inFlight: number,
): WorkerView {
  return {
    tenant,
    name,
    id,
    queues,
    types: types.map(({ type }) => type),
    maxVersions: types.map(({ maxVersion }) => maxVersion),
    inFlight,
    reserved: 0,
    connectedAtMs,
    node,
    unlistedCount: 0,
    polls: true,
  };
}
