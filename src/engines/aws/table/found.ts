import type { Item, Key } from './schema/keys.ts';

export function keyText(key: Item | Key): string {
  return `${key.pk?.S}\n${key.sk?.S}`;
}

/** What a batch of reads found, by key. */
export class Found {
  readonly #items = new Map<string, Item>();

  add(item: Item): void {
    this.#items.set(keyText(item), item);
  }

  at(key: Key): Item | undefined {
    return this.#items.get(keyText(key));
  }
}
