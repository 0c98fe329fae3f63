import type { Clock } from '../../../src/ports/clock.ts';
import type { NodeApi } from '../../../src/rpc/api/create-api.ts';

/**
 * One run of a simulated node, from its start to its crash or its graceful end. After that no call to this run has an
 * effect or a response.
 */
export class NodeLife {
  readonly name: string;
  readonly #onEnd: (life: NodeLife) => void;
  readonly #deathListeners = new Set<() => void>();
  #dead = false;

  constructor(name: string, onEnd: (life: NodeLife) => void) {
    this.name = name;
    this.#onEnd = onEnd;
  }

  get dead(): boolean {
    return this.#dead;
  }

  /** Adds a listener that is called when this run of the node ends. Returns a function that removes the listener. */
  onDeath(listener: () => void): () => void {
    this.#deathListeners.add(listener);
    return () => this.#deathListeners.delete(listener);
  }

  crash(): void {
    if (this.#dead) return;
    this.#dead = true;
    for (const listener of [...this.#deathListeners]) listener();
    this.#onEnd(this);
  }
}

/** A simulated node that is up and serves calls. */
export interface ServingNode {
  readonly life: NodeLife;
  readonly api: NodeApi;
  readonly clock: Clock;
}
