import type { Item, Key } from './schema/keys.ts';

export function keyText(key: Item | Key): string {
  return `${key.pk?.S}\n${key.sk?.S}`;
}

/** DynamoDB items that a batch read returned, for lookup by key. */
export class ItemsByKey {
  readonly #items = new Map<string, Item>();

  add(item: Item): void {
    this.#items.set(keyText(item), item);
  }

  get(key: Key): Item | undefined {
    return this.#items.get(keyText(key));
  }
}
