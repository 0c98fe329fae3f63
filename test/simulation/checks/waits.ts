interface KillableProcess {
  readonly dead: boolean;
}

/** Records which client processes wait for the results of tasks. */
export class ResultWaits {
  readonly #open = new Map<object, { readonly id: string; readonly process: KillableProcess }>();

  /**
   * Records that a client process waits for the result of a task. Returns a function that records the end of this wait.
   */
  begin(process: KillableProcess, id: string): () => void {
    const key = {};
    this.#open.set(key, { id, process });
    return () => this.#open.delete(key);
  }

  /** The id of a task for whose result a living client process still waits, or undefined if no living process waits. */
  get firstOpen(): string | undefined {
    for (const { id, process } of this.#open.values()) if (!process.dead) return id;
    return undefined;
  }
}
