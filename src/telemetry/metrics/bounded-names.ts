/** How many values a label of names may have. Every further name counts as `other`. */
export const mostNames = 200;
/** The value of a label whose name is beyond that number. A queue that has this name is counted with them. */
export const other = '_other';

/**
 * The names that one label may have as values: the first 200 that were seen. A caller who invents names thus makes no more
 * series than that, in this process and in the store of the metrics.
 */
export class BoundedNames {
  readonly #names = new Set<string>();
  readonly #most: number;

  constructor(most = mostNames) {
    this.#most = most;
  }

  of(name: string): string {
    if (this.#names.has(name)) return name;
    if (this.#names.size >= this.#most) return other;
    this.#names.add(name);
    return name;
  }
}
