import { limits } from '../../core/limits.ts';
import type { AttemptReference } from '../../core/messages.ts';
import type { QueueRef } from '../../core/queue-ref.ts';
import { isSameQueue } from '../../core/queue-ref.ts';
import type { Clock } from '../../ports/clock.ts';
import type { HeldLease, HeldLeases } from '../settle/held-leases.ts';

/** A reserved task, and since when the worker of this stream has it, in ms of the monotonic clock. */
interface Reserved {
  readonly lease: HeldLease;
  readonly sinceMs: number;
}

/**
 * The tasks that one worker's stream was given and whose handlers the worker has not called yet, as far as its reports
 * say. A task that was settled meanwhile is left out when the tasks are read.
 */
export class ReservedTasks {
  readonly #heldLeases: HeldLeases;
  readonly #clock: Clock;
  /** The tasks of this stream, by their places in the order of assignment. */
  readonly #byPlace = new Map<number, Reserved>();
  /** The tasks that the worker kept from an earlier stream. */
  #kept: readonly Reserved[] = [];
  #assigned = 0;

  constructor({ heldLeases, clock }: { readonly heldLeases: HeldLeases; readonly clock: Clock }) {
    this.#heldLeases = heldLeases;
    this.#clock = clock;
  }

  /** Adds the next assigned task of the stream. */
  add({ id, fencingToken }: AttemptReference): void {
    const lease = this.#heldLeases.get(id, fencingToken);
    this.#assigned++;
    if (lease !== undefined && !lease.begun)
      this.#byPlace.set(this.#assigned, { lease, sinceMs: this.#clock.monotonic() });
    // A worker that releases tasks instead of beginning them leaves entries behind.
    if (this.#byPlace.size > 2 * limits.inFlightTasks) this.#prune();
  }

  /** Adds the tasks that the worker kept from its previous stream, which was drained. Those already added stay as they are. */
  keep(leases: readonly HeldLease[]): void {
    const sinceMs = this.#clock.monotonic();
    const kept = new Map(leases.map((lease) => [lease, { lease, sinceMs }]));
    for (const one of this.#kept) kept.set(one.lease, one);
    this.#kept = [...kept.values()].filter((one) => this.#isReserved(one));
  }

  /** Records that the worker calls the handlers of these assignments. An unknown place is ignored. */
  begin(places: readonly number[]): void {
    for (const place of places) {
      const reserved = this.#byPlace.get(place);
      if (reserved === undefined) continue;
      reserved.lease.begun = true;
      this.#byPlace.delete(place);
    }
  }

  /** True if the worker has no reserved task. */
  get isEmpty(): boolean {
    this.#prune();
    return this.#byPlace.size === 0 && this.#kept.length === 0;
  }

  /** Returns the reserved tasks of one queue, or all of them, in the order of assignment. */
  list(queue?: QueueRef): HeldLease[] {
    return this.#all()
      .map(({ lease }) => lease)
      .filter((lease) => queue === undefined || isSameQueue(lease.snapshot.submission.scope, queue));
  }

  /** Returns the tasks that have been reserved for at least `ms`, in the order of assignment. */
  olderThan(ms: number): HeldLease[] {
    const untilMs = this.#clock.monotonic() - ms;
    return this.#all()
      .filter(({ sinceMs }) => sinceMs <= untilMs)
      .map(({ lease }) => lease);
  }

  #all(): Reserved[] {
    return [...this.#kept, ...this.#byPlace.values()].filter((one) => this.#isReserved(one));
  }

  #isReserved({ lease }: Reserved): boolean {
    const { id, head } = lease.snapshot;
    return !lease.begun && this.#heldLeases.get(id, head.fencingToken) === lease;
  }

  #prune(): void {
    for (const [place, one] of this.#byPlace) if (!this.#isReserved(one)) this.#byPlace.delete(place);
    if (this.#kept.length > 0) this.#kept = this.#kept.filter((one) => this.#isReserved(one));
  }
}
