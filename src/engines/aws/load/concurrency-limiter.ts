/** Whose call goes first where not all can: `lease` before all others, `background` last. */
export type Urgency = 'lease' | 'claim' | 'submit' | 'background';

const order: readonly Urgency[] = ['lease', 'claim', 'submit', 'background'];

export interface GateLimits {
  /** Calls under way at once, of all kinds. */
  readonly all: number;
  /** Of all kinds but leases: the rest is kept free for them. */
  readonly butLeases: number;
  readonly claim: number;
  readonly submit: number;
  readonly background: number;
}

/** Below the number of sockets, so that nothing waits where its turn does not count. */
export const gateLimits: GateLimits = { all: 240, butLeases: 192, claim: 128, submit: 128, background: 32 };

/**
 * Lets only so many calls go at once, and keeps places free for renewals and settlements: a throttled call holds its
 * place while the SDK waits to send it again, and a lease must not wait behind those.
 */
export class Gate {
  readonly #limits: GateLimits;
  readonly #running: Record<Urgency, number> = { lease: 0, claim: 0, submit: 0, background: 0 };
  readonly #waiting: Readonly<Record<Urgency, (() => void)[]>> = {
    lease: [],
    claim: [],
    submit: [],
    background: [],
  };

  constructor(limits: GateLimits = gateLimits) {
    this.#limits = limits;
  }

  get inFlight(): number {
    return order.reduce((sum, urgency) => sum + this.#running[urgency], 0);
  }

  get waiting(): number {
    return order.reduce((sum, urgency) => sum + this.#waiting[urgency].length, 0);
  }

  /** Of one kind, under way or waiting. */
  going(urgency: Urgency): number {
    return this.#running[urgency] + this.#waiting[urgency].length;
  }

  async run<T>(urgency: Urgency, work: () => Promise<T>): Promise<T> {
    if (this.#waiting[urgency].length === 0 && this.#hasRoom(urgency)) this.#running[urgency]++;
    else await new Promise<void>((resolve) => this.#waiting[urgency].push(resolve));
    try {
      return await work();
    } finally {
      this.#running[urgency]--;
      this.#admit();
    }
  }

  #hasRoom(urgency: Urgency): boolean {
    const { all, butLeases } = this.#limits;
    const inFlight = this.inFlight;
    if (urgency === 'lease') return inFlight < all;
    const others = inFlight - this.#running.lease;
    return inFlight < all && others < butLeases && this.#running[urgency] < this.#limits[urgency];
  }

  /** A place counts as taken before its call goes on, so that nobody is admitted to it in between. */
  #admit(): void {
    for (const urgency of order) {
      const waiting = this.#waiting[urgency];
      while (waiting.length > 0 && this.#hasRoom(urgency)) {
        this.#running[urgency]++;
        waiting.shift()?.();
      }
    }
  }
}
