/** Whose call goes first where not all can: `lease` before all others, `background` last. */
export type CallPriority = 'lease' | 'claim' | 'submit' | 'background';

const order: readonly CallPriority[] = ['lease', 'claim', 'submit', 'background'];

export interface ConcurrencyLimits {
  /** Calls under way at once, of all kinds. */
  readonly all: number;
  /** Of all kinds but leases: the rest is kept free for them. */
  readonly butLeases: number;
  readonly claim: number;
  readonly submit: number;
  readonly background: number;
}

/** Below the number of sockets, so that nothing waits where its turn does not count. */
export const concurrencyLimits: ConcurrencyLimits = {
  all: 240,
  butLeases: 192,
  claim: 128,
  submit: 128,
  background: 32,
};

/**
 * Lets only so many calls go at once, and keeps places free for renewals and settlements: a throttled call holds its
 * place while the SDK waits to send it again, and a lease must not wait behind those.
 */
export class ConcurrencyLimiter {
  readonly #limits: ConcurrencyLimits;
  readonly #running: Record<CallPriority, number> = { lease: 0, claim: 0, submit: 0, background: 0 };
  readonly #waiting: Readonly<Record<CallPriority, (() => void)[]>> = {
    lease: [],
    claim: [],
    submit: [],
    background: [],
  };

  constructor(limits: ConcurrencyLimits = concurrencyLimits) {
    this.#limits = limits;
  }

  get inFlight(): number {
    return order.reduce((sum, callPriority) => sum + this.#running[callPriority], 0);
  }

  get waiting(): number {
    return order.reduce((sum, callPriority) => sum + this.#waiting[callPriority].length, 0);
  }

  /** Of one kind, under way or waiting. */
  going(callPriority: CallPriority): number {
    return this.#running[callPriority] + this.#waiting[callPriority].length;
  }

  async run<T>(callPriority: CallPriority, work: () => Promise<T>): Promise<T> {
    if (this.#waiting[callPriority].length === 0 && this.#hasRoom(callPriority))
      this.#running[callPriority]++;
    else await new Promise<void>((resolve) => this.#waiting[callPriority].push(resolve));
    try {
      return await work();
    } finally {
      this.#running[callPriority]--;
      this.#admit();
    }
  }

  #hasRoom(callPriority: CallPriority): boolean {
    const { all, butLeases } = this.#limits;
    const inFlight = this.inFlight;
    if (callPriority === 'lease') return inFlight < all;
    const others = inFlight - this.#running.lease;
    return inFlight < all && others < butLeases && this.#running[callPriority] < this.#limits[callPriority];
  }

  /** A place counts as taken before its call goes on, so that nobody is admitted to it in between. */
  #admit(): void {
    for (const callPriority of order) {
      const waiting = this.#waiting[callPriority];
      while (waiting.length > 0 && this.#hasRoom(callPriority)) {
        this.#running[callPriority]++;
        waiting.shift()?.();
      }
    }
  }
}
