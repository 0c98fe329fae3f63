/** The largest amounts that a node, and one identity on it, may hold of one resource. */
export interface Most {
  readonly ofNode: number;
  readonly ofIdentity: number;
}

/** Counts how much of one resource the identities of a node hold, and how much more each of them may hold. */
export class IdentityCounts {
  readonly #most: Most;
  readonly #byIdentity = new Map<string, number>();
  #ofNode = 0;

  constructor(most: Most) {
    this.#most = most;
  }

  get ofNode(): number {
    return this.#ofNode;
  }

  of(identity: string): number {
    return this.#byIdentity.get(identity) ?? 0;
  }

  /** Returns how much more an identity may have, by its own limit and by that of the node. */
  roomOf(identity: string): number {
    const { ofNode, ofIdentity } = this.#most;
    return Math.max(0, Math.min(ofIdentity - this.of(identity), ofNode - this.#ofNode));
  }

  /** Adds to the count of an identity; a negative number takes from it. */
  add(identity: string, count: number): void {
    this.#ofNode += count;
    const own = this.of(identity) + count;
    if (own === 0) this.#byIdentity.delete(identity);
    else this.#byIdentity.set(identity, own);
  }
}
