/** The calls and report batches that this node has received and not answered yet. */
export class Unanswered {
  readonly #pending = new Set<Promise<unknown>>();

  /** Counts a call as unanswered until `work` has ended. Returns `work`. */
  track<T>(work: Promise<T>): Promise<T> {
    this.#pending.add(work);
    const done = (): void => void this.#pending.delete(work);
    work.then(done, done);
    return work;
  }

  /** Resolves when all calls that are unanswered now have been answered. Never rejects. */
  async answered(): Promise<void> {
    await Promise.allSettled([...this.#pending]);
  }
}
