import type { Item } from '../lag/item.ts';
import { keyName, type TableSchema } from '../lag/schemas.ts';

/** An item that a transaction has written and that reads of several items do not show yet. */
export interface HiddenItem {
  readonly schema: TableSchema;
  readonly key: Item;
  /** The item before the transaction; undefined if there was none. */
  readonly before: Item | undefined;
  /** The time in ms at which the item becomes visible. Infinity until the transaction is committed. */
  visibleAtMs: number;
}

/** The items that are hidden at present, by their names. */
export class HiddenItems {
  readonly #items = new Map<string, HiddenItem>();

  hide(item: HiddenItem): void {
    this.#items.set(keyName(item.schema, item.key), item);
  }

  /** Shows an item at once, unless another transaction has hidden it since. */
  show(item: HiddenItem): void {
    const name = keyName(item.schema, item.key);
    if (this.#items.get(name) === item) this.#items.delete(name);
  }

  /** Shows an item because it was written anew. */
  rewritten(schema: TableSchema, key: Item): void {
    this.#items.delete(keyName(schema, key));
  }

  /** Returns the hidden items of a table, or those of one partition, by their names. */
  of(table: string, partition: unknown, nowMs: number): ReadonlyMap<string, HiddenItem> {
    const found = new Map<string, HiddenItem>();
    for (const [name, item] of this.#items) {
      if (item.visibleAtMs <= nowMs) this.#items.delete(name);
      else if (item.schema.name === table && isIn(item, partition)) found.set(name, item);
    }
    return found;
  }

  showAll(): void {
    this.#items.clear();
  }
}

function isIn({ schema, key }: HiddenItem, partition: unknown): boolean {
  return partition === undefined || JSON.stringify(key[schema.hash]) === JSON.stringify(partition);
}
