import type { Clock } from '../../../src/ports/clock.ts';
import type { NodeApi } from '../../../src/rpc/api/create-api.ts';
import type { Service } from '../../../src/service/service.ts';

/** The part of a process's clock that decides whether the process runs. */
interface Scheduling {
  readonly isBehind: boolean;
  run(callback: () => unknown): void;
}

/**
 * One run of a simulated node, from its start to its crash or its graceful end. After that no call to this run has an
 * effect or a response.
 */
export class NodeLife {
  readonly name: string;
  readonly #process: Scheduling;
  readonly #onEnd: (life: NodeLife) => void;
  readonly #deathListeners = new Set<() => void>();
  #dead = false;

  constructor(name: string, process: Scheduling, onEnd: (life: NodeLife) => void) {
    this.name = name;
    this.#process = process;
    this.#onEnd = onEnd;
  }

  get dead(): boolean {
    return this.#dead;
  }

  /** Runs a callback of the node's process: now, or after the process has stood still, or never if it is dead. */
  run(callback: () => unknown): void {
    this.#process.run(() => this.#dead || callback());
  }

  /** True while the process of the node stands still. */
  get isBehind(): boolean {
    return this.#process.isBehind;
  }

  /** Resolves when the process of the node runs: at once, unless the process stands still. */
  async awake(): Promise<void> {
    if (this.isBehind) await new Promise<void>((resolve) => this.run(() => resolve()));
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
  readonly service: Service;
  readonly clock: Clock;
}
