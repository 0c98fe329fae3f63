import { limits } from '../../core/limits.ts';
import type { AttemptReference } from '../../core/messages.ts';
import type { QueueRef } from '../../core/queue-ref.ts';
import { isSameQueue } from '../../core/queue-ref.ts';
import type { HeldLease, HeldLeases } from '../settle/held-leases.ts';

/**
 * The tasks that one worker's stream was given and whose handlers the worker has not called yet, as far as its reports
 * say. A task that was settled meanwhile is left out when the tasks are read.
 */
export class ReservedTasks {
  readonly #heldLeases: HeldLeases;
  /** The tasks of this stream, by their places in the order of assignment. */
  readonly #byPlace = new Map<number, HeldLease>();
  /** The tasks that the worker kept from an earlier stream. */
  #kept: readonly HeldLease[] = [];
  #assigned = 0;

  constructor(heldLeases: HeldLeases) {
    this.#heldLeases = heldLeases;
  }

  /** Adds the next assigned task of the stream. */
  add({ id, fencingToken }: AttemptReference): void {
    const lease = this.#heldLeases.get(id, fencingToken);
    this.#assigned++;
    if (lease !== undefined && !lease.begun) this.#byPlace.set(this.#assigned, lease);
    // A worker that releases tasks instead of beginning them leaves entries behind.
    if (this.#byPlace.size > 2 * limits.inFlightTasks) this.#prune();
  }

  /** Adds the tasks that the worker kept from its previous stream, which was drained. */
  keep(leases: readonly HeldLease[]): void {
    this.#kept = [...this.#kept, ...leases].filter((lease) => this.#isReserved(lease));
  }

  /** Records that the worker calls the handlers of these assignments. An unknown place is ignored. */
  begin(places: readonly number[]): void {
    for (const place of places) {
      const lease = this.#byPlace.get(place);
      if (lease === undefined) continue;
      lease.begun = true;
      this.#byPlace.delete(place);
    }
  }

  /** Returns the reserved tasks of one queue, or all of them, in the order of assignment. */
  list(queue?: QueueRef): HeldLease[] {
    return [...this.#kept, ...this.#byPlace.values()].filter(
      (lease) =>
        this.#isReserved(lease) &&
        (queue === undefined || isSameQueue(lease.snapshot.submission.scope, queue)),
    );
  }

  #isReserved(lease: HeldLease): boolean {
    const { id, head } = lease.snapshot;
    return !lease.begun && this.#heldLeases.get(id, head.fencingToken) === lease;
  }

  #prune(): void {
    for (const [place, lease] of this.#byPlace) if (!this.#isReserved(lease)) this.#byPlace.delete(place);
  }
}
