/** The priority of a call to AWS when not all calls can run at once: `lease` first, `background` last. */
export type CallPriority = 'lease' | 'claim' | 'submit' | 'background';

const byUrgency: readonly CallPriority[] = ['lease', 'claim', 'submit', 'background'];

export interface ConcurrencyLimits {
  /** The maximum number of concurrent calls to AWS, over all call priorities. */
  readonly all: number;
  /**
   * The maximum number of concurrent calls of all priorities but `lease`. The other slots of `all` are reserved for
   * calls with the priority `lease`.
   */
  readonly exceptLeases: number;
  readonly claim: number;
  readonly submit: number;
  readonly background: number;
}

/**
 * The default limits of concurrent calls. The limits are below the number of sockets of the client, since calls that
 * wait for a socket are not ordered by priority.
 */
export const concurrencyLimits: ConcurrencyLimits = {
  all: 240,
  exceptLeases: 192,
  claim: 128,
  submit: 128,
  background: 32,
};

/**
 * Limits the number of concurrent calls to an AWS service, and reserves slots for lease renewals and settlements. A
 * throttled call occupies its slot until the SDK has retried the call, and a lease would expire if its renewal waited
 * behind such calls.
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
    return byUrgency.reduce((sum, callPriority) => sum + this.#running[callPriority], 0);
  }

  get waiting(): number {
    return byUrgency.reduce((sum, callPriority) => sum + this.#waiting[callPriority].length, 0);
  }

  /** The number of calls of one priority that run or wait. */
  pending(callPriority: CallPriority): number {
    return this.#running[callPriority] + this.#waiting[callPriority].length;
  }

  /** Runs the call `work` as soon as a slot for calls of this priority is free. */
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
    const { all, exceptLeases } = this.#limits;
    const inFlight = this.inFlight;
    if (callPriority === 'lease') return inFlight < all;
    const others = inFlight - this.#running.lease;
    return (
      inFlight < all && others < exceptLeases && this.#running[callPriority] < this.#limits[callPriority]
    );
  }

  /**
   * Starts waiting calls while slots are free. A slot is taken before its call resumes, so that no other call can take
   * the slot in between.
   */
  #admit(): void {
    for (const callPriority of byUrgency) {
      const waiting = this.#waiting[callPriority];
      while (waiting.length > 0 && this.#hasRoom(callPriority)) {
        this.#running[callPriority]++;
        waiting.shift()?.();
      }
    }
  }
}
