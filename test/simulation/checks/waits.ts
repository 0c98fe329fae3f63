interface Mortal {
  readonly dead: boolean;
}

/** Who waits for a result. */
export class Waits {
  readonly #open = new Map<object, { readonly id: string; readonly process: Mortal }>();

  /** The answer ends it. */
  begin(process: Mortal, id: string): () => void {
    const key = {};
    this.#open.set(key, { id, process });
    return () => this.#open.delete(key);
  }

  /** A task for whose result a living process waits. */
  get some(): string | undefined {
    for (const { id, process } of this.#open.values()) if (!process.dead) return id;
    return undefined;
  }
}
