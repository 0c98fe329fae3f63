import { asHoldfastError, type HoldfastError } from '../../core/errors.ts';
import type { Acceptance, Accepted, Change, Outcome } from '../../ports/task-store.ts';

/** One call that waits for its commit. */
export interface Call<Item, Result> {
  readonly items: readonly Item[];
  readonly bytes: number;
  readonly results: Result[];
  /** Items that failed by themselves and are left out when the turn is done again. */
  readonly excluded: Map<number, HoldfastError>;
  resolve(results: Result[]): void;
  reject(error: HoldfastError): void;
}

/** Anything else that is written: rings, pointers, registry entries, purges. */
export type Write = () => unknown;

/** What is committed together, in this order. */
export interface CommitBatch {
  readonly changes: Call<Change, Outcome>[];
  readonly accepts: Call<Acceptance, Accepted>[];
  readonly writes: Call<Write, unknown>[];
}

export function newBatch(): CommitBatch {
  return { changes: [], accepts: [], writes: [] };
}

export function callsOf(batch: CommitBatch): readonly Call<unknown, unknown>[] {
  return [...batch.changes, ...batch.accepts, ...batch.writes] as Call<unknown, unknown>[];
}

/** An item whose own values broke its statement: the turn is undone and done again without it. */
export class ItemFailed {
  readonly call: Call<never, never>;
  readonly index: number;
  readonly error: HoldfastError;

  constructor(call: Call<never, never>, index: number, thrown: unknown) {
    this.call = call;
    this.index = index;
    this.error = asHoldfastError(thrown);
  }
}
