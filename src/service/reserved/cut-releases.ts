/**
 * The releases that wait for the end of the grace after a cut. A node that stops ends before that, and makes those at once
 * that only it can make: of assignments that the worker may not have received, whose leases nobody would renew.
 */
export class CutReleases {
  readonly #waiting = new Set<() => void>();
  #isStopping = false;

  /**
   * Calls `release` once the node stops; if it is stopping already, now. Returns a function by which the end of the grace
   * takes the release out.
   */
  beforeStop(release: () => void): () => void {
    if (this.#isStopping) release();
    else this.#waiting.add(release);
    return () => this.#waiting.delete(release);
  }

  /** Makes the releases that wait, and those of streams that are cut until `stopped` is called at once. */
  stop(): void {
    this.#isStopping = true;
    for (const release of this.#waiting) release();
    this.#waiting.clear();
  }

  /**
   * Called before the node itself ends the streams that are left: their workers may be slow and receive the assignments
   * later, and then they renew the leases elsewhere.
   */
  stopped(): void {
    this.#isStopping = false;
  }
}
