import { asHoldfastError, type HoldfastError } from '../../core/errors.ts';
import type { Acceptance, AcceptOutcome, Change, WriteOutcome } from '../../ports/task-store.ts';

/** A write call of the store that waits until its commit batch is committed. */
export interface PendingCall<Item, Result> {
  readonly items: readonly Item[];
  readonly bytes: number;
  readonly results: Result[];
  /**
   * The errors of items whose values made an SQL statement fail, by the item's index. These items are left out when the
   * commit batch runs again.
   */
  readonly excluded: Map<number, HoldfastError>;
  resolve(results: Result[]): void;
  reject(error: HoldfastError): void;
}

/**
 * A write that is neither a submission nor a change of a task: dispatch messages, lane pointers, registry entries,
 * purges.
 */
export type WriteStep = () => unknown;

/** The calls that one SQLite transaction commits together, in the order in which they are applied. */
export interface CommitBatch {
  readonly changes: PendingCall<Change, WriteOutcome>[];
  readonly accepts: PendingCall<Acceptance, AcceptOutcome>[];
  readonly writes: PendingCall<WriteStep, unknown>[];
}

export function newBatch(): CommitBatch {
  return { changes: [], accepts: [], writes: [] };
}

export function callsOf(batch: CommitBatch): readonly PendingCall<unknown, unknown>[] {
  return [...batch.changes, ...batch.accepts, ...batch.writes] as PendingCall<unknown, unknown>[];
}

/**
 * Thrown if the values of one item make its SQL statement fail. The commit batch is rolled back and runs again without
 * the item.
 */
export class ItemFailure {
  readonly call: PendingCall<never, never>;
  readonly index: number;
  readonly error: HoldfastError;

  constructor(call: PendingCall<never, never>, index: number, thrown: unknown) {
    this.call = call;
    this.index = index;
    this.error = asHoldfastError(thrown);
  }
}
