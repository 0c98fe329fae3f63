import type { SendUpstream } from '../../send-upstream.ts';
import type { Item } from './item.ts';
import type { TableSchema } from './schemas.ts';

/** A version of an item to write to a shadow, which is a copy of a table. An undefined `image` deletes the item. */
export interface Image {
  readonly keyName: string;
  readonly key: Item;
  readonly image: Item | undefined;
}

/**
 * A copy of a table with the same keys and indexes that is written later than the table. Since it is a real table, the
 * stand-in evaluates expressions, filters, pages and projections on it.
 */
export class Shadow {
  readonly name: string;
  readonly #sendUpstream: SendUpstream;
  readonly #tails = new Map<string, Promise<void>>();
  #failure: unknown;

  constructor(send: SendUpstream, name: string) {
    this.#sendUpstream = send;
    this.name = name;
  }

  /** Creates the copy of a table anew and fills it with the table's current items. */
  async fill(schema: TableSchema, images: Iterable<Item>): Promise<void> {
    await this.drop();
    await this.#sendUpstream('CreateTable', { TableName: this.name, ...schema.shape });
    for (const Item of images) await this.#sendUpstream('PutItem', { TableName: this.name, Item });
  }

  async drop(): Promise<void> {
    await this.#sendUpstream('DeleteTable', { TableName: this.name }).catch(() => undefined);
  }

  /**
   * Writes a version of an item to the copy. Writes of one item happen in the order of the calls. `check` throws the
   * error of a failed write.
   */
  write({ keyName, key: Key, image: Item }: Image): Promise<void> {
    const TableName = this.name;
    const tail = (this.#tails.get(keyName) ?? Promise.resolve())
      .then(async () => {
        await (Item === undefined
          ? this.#sendUpstream('DeleteItem', { TableName, Key })
          : this.#sendUpstream('PutItem', { TableName, Item }));
      })
      .catch((thrown) => {
        this.#failure ??= thrown;
      })
      .finally(() => this.#tails.get(keyName) === tail && this.#tails.delete(keyName));
    this.#tails.set(keyName, tail);
    return tail;
  }

  /** Throws if a write to this copy of the table has failed: the copy then lacks data, and a test must not read it. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
