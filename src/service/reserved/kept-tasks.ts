import { decodeLease } from '../../core/codec/lease.ts';
import { HoldfastError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { BegunAttempt, CancelCause } from '../../core/messages.ts';
import { lapseReason } from '../../core/task/decision.ts';
import { isFromClaim, type Lease } from '../../core/task/lease.ts';
import type { Snapshot, TaskId } from '../../ports/task-store.ts';
import { factsOf } from '../commit.ts';
import type { ServiceContext } from '../context.ts';
import { readEach } from '../read-each.ts';
import type { LiveSession } from '../session/sessions.ts';
import type { HeldLease } from '../settle/held-leases.ts';

/** The session of the stream on which a worker names the tasks that it kept. */
interface KeepingSession
  extends Pick<LiveSession, 'id' | 'tenant' | 'worker' | 'reserved' | 'cancelAttempt'> {
  readonly isClosed: boolean;
}

/** Returns why a task must be given back that its worker has not begun; undefined if the worker may keep it. */
function recallCause(context: ServiceContext, snapshot: Snapshot): CancelCause | undefined {
  if (snapshot.head.cancelRequested) return 'cancelled';
  if (lapseReason(snapshot.head, factsOf(context, snapshot), context.clock.now()) !== undefined)
    return 'deadline';
  return context.queues.of(snapshot.submission.scope).paused ? 'paused' : undefined;
}

/**
 * The tasks that a worker kept from a stream to another node, or to an earlier process of this node, and names on its new
 * stream. This node reads them, so that it can recall those that must not begin any more, now and later.
 */
export class KeptTasks {
  readonly #context: ServiceContext;
  readonly #session: KeepingSession;
  /** The named tasks that are being read. One that begins meanwhile is removed. */
  readonly #reading = new Map<TaskId, Lease>();
  #named = 0;

  constructor(context: ServiceContext, session: KeepingSession) {
    this.#context = context;
    this.#session = session;
  }

  /** Takes the leases of kept tasks. A lease that was changed, or that the worker does not hold, is ignored. */
  name(leases: readonly Uint8Array[]): void {
    const unknown: Lease[] = [];
    const left: HeldLease[] = [];
    for (const bytes of leases.slice(0, Math.max(0, limits.inFlightTasks - this.#named))) {
      this.#named++;
      const lease = this.#decoded(bytes);
      if (lease === undefined) continue;
      const held = this.#context.heldLeases.get(lease.id, lease.fencingToken);
      if (held === undefined) unknown.push(lease);
      else if (isFromClaim(held.snapshot.head, lease) && this.#isLeft(held)) left.push(held);
    }
    this.#keep(left);
    for (const lease of unknown) this.#reading.set(lease.id, lease);
    for (let at = 0; at < unknown.length; at += limits.batchItems)
      this.#context.background('kept tasks', this.#read(unknown.slice(at, at + limits.batchItems)));
  }

  /** Records that the worker calls the handlers of these tasks now. */
  begun(attempts: readonly BegunAttempt[]): void {
    for (const { id } of attempts) this.#reading.delete(id);
  }

  #decoded(bytes: Uint8Array): Lease | undefined {
    try {
      return decodeLease(bytes);
    } catch {
      return undefined;
    }
  }

  async #read(leases: readonly Lease[]): Promise<void> {
    const { clock, store } = this.#context;
    try {
      const ids = leases.map(({ id }) => id);
      const found = await readEach(ids, (some) => store.read(some, clock.now()));
      this.#keep(leases.flatMap((lease, i) => this.#hold(lease, found[i]) ?? []));
    } finally {
      for (const lease of leases) if (this.#isReading(lease)) this.#reading.delete(lease.id);
    }
  }

  /** Returns the held lease of a named task; undefined if the worker does not hold it, or has begun it. */
  #hold(lease: Lease, snapshot: Snapshot | HoldfastError | undefined): HeldLease | undefined {
    const { heldLeases } = this.#context;
    const { id, isClosed } = this.#session;
    if (snapshot === undefined || snapshot instanceof HoldfastError || isClosed || !this.#isReading(lease))
      return undefined;
    const { head } = snapshot;
    if (!this.#isOwn(snapshot) || head.begun || head.fencingToken !== lease.fencingToken) return undefined;
    if (!isFromClaim(head, lease)) return undefined;
    if (heldLeases.get(lease.id, lease.fencingToken) !== undefined) return undefined;
    const held = { snapshot, receiptHandle: lease.receiptHandle, sessionId: id, begun: false };
    heldLeases.put(held);
    return held;
  }

  #isReading(lease: Lease): boolean {
    return this.#reading.get(lease.id) === lease;
  }

  #isOwn({ head, submission }: Snapshot): boolean {
    const { worker, tenant } = this.#session;
    return head.state === 'running' && head.worker === worker && submission.scope.tenant === tenant;
  }

  /**
   * True if this node gave out the lease, and the stream has ended on which it did. A stream that has not ended yet passes
   * on its reserved tasks when it ends.
   */
  #isLeft({ snapshot, begun, sessionId }: HeldLease): boolean {
    return !begun && this.#isOwn(snapshot) && this.#context.sessions.get(sessionId ?? '') === undefined;
  }

  /** Adds the tasks to the reserved ones of the session, and recalls those that must not begin any more. */
  #keep(kept: readonly HeldLease[]): void {
    if (kept.length === 0) return;
    this.#session.reserved.keep(kept);
    this.#context.rebalance.begin();
    for (const { snapshot } of kept) {
      const cause = recallCause(this.#context, snapshot);
      if (cause !== undefined) this.#session.cancelAttempt(snapshot.id, snapshot.head.fencingToken, cause);
    }
  }
}
