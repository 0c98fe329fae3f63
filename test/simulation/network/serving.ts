import type { Clock } from '../../../src/ports/clock.ts';
import type { NodeApi } from '../../../src/rpc/api/create-api.ts';

/** One life of a node, from its start to its crash or its orderly end: after it no call has an effect or an answer. */
export class Life {
  readonly name: string;
  readonly #ended: (life: Life) => void;
  readonly #deaths = new Set<() => void>();
  #dead = false;

  constructor(name: string, ended: (life: Life) => void) {
    this.name = name;
    this.#ended = ended;
  }

  get dead(): boolean {
    return this.#dead;
  }

  /** Called back once it is over; the answer takes that back. */
  onDeath(tell: () => void): () => void {
    this.#deaths.add(tell);
    return () => this.#deaths.delete(tell);
  }

  crash(): void {
    if (this.#dead) return;
    this.#dead = true;
    for (const tell of [...this.#deaths]) tell();
    this.#ended(this);
  }
}

/** A life that answers. */
export interface Serving {
  readonly life: Life;
  readonly api: NodeApi;
  readonly clock: Clock;
}
