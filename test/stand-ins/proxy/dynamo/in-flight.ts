import type { Answer } from '../call.ts';
import { cancelled, conflictReason, none, transactionConflict, transactionInProgress } from './answers.ts';

interface Held {
  transactions: number;
  writes: number;
}

/** One request's claim on its items while it is on its way. */
export interface Entry {
  readonly operation: string;
  /** In the order of the request. */
  readonly keyNames: readonly string[];
  readonly token: string | undefined;
}

/**
 * Who is at work on which item, for the conflicts that AWS documents: a transaction's item held by another
 * transaction; a single write on an item that a transaction holds; a TransactGetItems on an item that anyone writes.
 */
export class InFlight {
  readonly #held = new Map<string, Held>();
  readonly #tokens = new Set<string>();

  /** The refusal, or undefined: it may go on, and `leave` must follow. */
  enter(entry: Entry): Answer | undefined {
    const { operation, keyNames, token } = entry;
    if (token !== undefined && this.#tokens.has(token)) return transactionInProgress();
    const conflicting = keyNames.map((name) => this.#conflicts(operation, this.#held.get(name)));
    if (conflicting.includes(true)) {
      if (!operation.startsWith('Transact')) return transactionConflict();
      return cancelled(conflicting.map((is) => (is ? conflictReason : none)));
    }
    this.#add(entry, 1);
    if (token !== undefined) this.#tokens.add(token);
    return undefined;
  }

  leave(entry: Entry): void {
    this.#add(entry, -1);
    if (entry.token !== undefined) this.#tokens.delete(entry.token);
  }

  #conflicts(operation: string, held: Held | undefined): boolean {
    if (held === undefined || operation === 'GetItem' || operation === 'BatchGetItem') return false;
    return held.transactions > 0 || (operation === 'TransactGetItems' && held.writes > 0);
  }

  #add({ operation, keyNames }: Entry, by: 1 | -1): void {
    if (operation.endsWith('GetItem') || operation.endsWith('GetItems')) return;
    for (const name of keyNames) {
      const held = this.#held.get(name) ?? { transactions: 0, writes: 0 };
      held[operation === 'TransactWriteItems' ? 'transactions' : 'writes'] += by;
      if (held.transactions + held.writes === 0) this.#held.delete(name);
      else this.#held.set(name, held);
    }
  }
}
