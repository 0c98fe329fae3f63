import type { Answer } from '../call.ts';
import { cancelled, conflictReason, none, transactionConflict, transactionInProgress } from './answers.ts';

interface HoldCounts {
  transactions: number;
  writes: number;
}

/** The items that one request holds while it is in flight. */
export interface ItemClaim {
  readonly operation: string;
  /** The names of the items, in the order of the request. */
  readonly keyNames: readonly string[];
  readonly clientToken: string | undefined;
}

/**
 * Tracks which items requests in flight hold, for the conflicts that AWS documents: a transaction and an item that
 * another transaction holds; a single write and an item that a transaction holds; a TransactGetItems and an item that
 * any request writes.
 */
export class InFlight {
  readonly #held = new Map<string, HoldCounts>();
  readonly #clientRequests = new Set<string>();

  /**
   * Returns the error answer if the request conflicts with a request in flight. Else the request holds its items until
   * `leave`, and the result is undefined.
   */
  enter(claim: ItemClaim): Answer | undefined {
    const { operation, keyNames, clientToken } = claim;
    if (clientToken !== undefined && this.#clientRequests.has(clientToken)) return transactionInProgress();
    const conflicting = keyNames.map((name) => this.#conflicts(operation, this.#held.get(name)));
    if (conflicting.includes(true)) {
      if (!operation.startsWith('Transact')) return transactionConflict();
      return cancelled(conflicting.map((is) => (is ? conflictReason : none)));
    }
    this.#add(claim, 1);
    if (clientToken !== undefined) this.#clientRequests.add(clientToken);
    return undefined;
  }

  leave(claim: ItemClaim): void {
    this.#add(claim, -1);
    if (claim.clientToken !== undefined) this.#clientRequests.delete(claim.clientToken);
  }

  #conflicts(operation: string, held: HoldCounts | undefined): boolean {
    if (held === undefined || operation === 'GetItem' || operation === 'BatchGetItem') return false;
    return held.transactions > 0 || (operation === 'TransactGetItems' && held.writes > 0);
  }

  #add({ operation, keyNames }: ItemClaim, by: 1 | -1): void {
    if (operation.endsWith('GetItem') || operation.endsWith('GetItems')) return;
    for (const name of keyNames) {
      const held = this.#held.get(name) ?? { transactions: 0, writes: 0 };
      held[operation === 'TransactWriteItems' ? 'transactions' : 'writes'] += by;
      if (held.transactions + held.writes === 0) this.#held.delete(name);
      else this.#held.set(name, held);
    }
  }
}
