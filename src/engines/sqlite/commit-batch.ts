import { asHoldfastError, type HoldfastError } from '../../core/errors.ts';
import type { Acceptance, AcceptOutcome, Change, WriteOutcome } from '../../ports/task-store.ts';

/** A call of the store that waits for its commit. */
export interface PendingCall<Item, Result> {
  readonly items: readonly Item[];
  readonly bytes: number;
  readonly results: Result[];
  /** The errors of items whose values made a statement fail, by index. They are left out when the batch runs again. */
  readonly excluded: Map<number, HoldfastError>;
  resolve(results: Result[]): void;
  reject(error: HoldfastError): void;
}

/** Any other write: dispatch messages, lane pointers, registry entries, purges. */
export type WriteStep = () => unknown;

/** The calls of one transaction, in the order in which they are applied. */
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

/** Thrown if the values of one item make its statement fail. The batch is rolled back and runs again without it. */
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
