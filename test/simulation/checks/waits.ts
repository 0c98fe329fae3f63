interface KillableProcess {
  readonly dead: boolean;
}

/** The open waits of client processes for the results of tasks. */
export class ResultWaits {
  readonly #open = new Map<object, { readonly id: string; readonly process: KillableProcess }>();

  /** Records that a process waits for the result of a task. Returns a function that ends the wait. */
  begin(process: KillableProcess, id: string): () => void {
    const key = {};
    this.#open.set(key, { id, process });
    return () => this.#open.delete(key);
  }

  /** The task of an open wait whose process is alive, or undefined if there is none. */
  get firstOpen(): string | undefined {
    for (const { id, process } of this.#open.values()) if (!process.dead) return id;
    return undefined;
  }
}
