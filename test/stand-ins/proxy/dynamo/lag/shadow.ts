import type { Ask } from '../../ask.ts';
import type { Item } from './item.ts';
import type { TableSchema } from './schemas.ts';

/** An item of a shadow, and what it is to become; no image: it is to be gone. */
export interface Image {
  readonly keyName: string;
  readonly key: Item;
  readonly image: Item | undefined;
}

/**
 * A second table of the same shape that is written later than the first. Since it is a table, the stand-in itself
 * evaluates every expression, filter, page and projection on it.
 */
export class Shadow {
  readonly name: string;
  readonly #ask: Ask;
  readonly #tails = new Map<string, Promise<void>>();
  #failure: unknown;

  constructor(ask: Ask, name: string) {
    this.#ask = ask;
    this.name = name;
  }

  /** Makes the table anew and fills it with what the first one holds now. */
  async fill(schema: TableSchema, images: Iterable<Item>): Promise<void> {
    await this.drop();
    await this.#ask('CreateTable', { TableName: this.name, ...schema.shape });
    for (const Item of images) await this.#ask('PutItem', { TableName: this.name, Item });
  }

  async drop(): Promise<void> {
    await this.#ask('DeleteTable', { TableName: this.name }).catch(() => undefined);
  }

  /** Of one item, in the order of the calls. A failure is thrown by `check`. */
  write({ keyName, key: Key, image: Item }: Image): Promise<void> {
    const TableName = this.name;
    const tail = (this.#tails.get(keyName) ?? Promise.resolve())
      .then(async () => {
        await (Item === undefined
          ? this.#ask('DeleteItem', { TableName, Key })
          : this.#ask('PutItem', { TableName, Item }));
      })
      .catch((thrown) => {
        this.#failure ??= thrown;
      })
      .finally(() => this.#tails.get(keyName) === tail && this.#tails.delete(keyName));
    this.#tails.set(keyName, tail);
    return tail;
  }

  /** Throws what a write failed with: a copy that lost one may not be read any more. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
