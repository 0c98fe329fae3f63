import type { AttemptContext } from '../../client/context.ts';
import type { Middleware } from '../../client/contract/handler.ts';

interface AttemptInProgress {
  readonly id: string;
  readonly type: string;
  /** How much longer, in ms of real time, the virtual time waits for this attempt. */
  realWaitLeftMs: number;
}

/** Called when a handler has returned. The attempt ends when the returned promise does; it never does if the worker crashed. */
export type OnReturned = (context: AttemptContext) => Promise<void> | undefined;

export interface AttemptsOptions {
  readonly realWaitMs: number;
  readonly onBegun: (context: AttemptContext) => void;
  readonly onReturned: OnReturned;
}

/** The attempts of one worker that are in progress. */
export class Attempts {
  readonly #running = new Set<AttemptInProgress>();
  readonly #options: AttemptsOptions;
  #changes = 0;

  constructor(options: AttemptsOptions) {
    this.#options = options;
  }

  get inProgress(): number {
    return this.#running.size;
  }

  /** A number that changes whenever an attempt begins or ends. */
  get changes(): number {
    return this.#changes;
  }

  get ids(): readonly string[] {
    return [...this.#running].map(({ id }) => id);
  }

  /** The ids of the attempts in progress of this type, or of all types. */
  idsOf(type: string | undefined): readonly string[] {
    return [...this.#running].filter((one) => type === undefined || one.type === type).map(({ id }) => id);
  }

  /** Returns true if the virtual time should wait for an attempt, and takes `ms` off the real time that it may wait. */
  takeRealWait(ms: number): boolean {
    let waits = false;
    for (const one of this.#running) {
      waits ||= one.realWaitLeftMs > 0;
      one.realWaitLeftMs -= ms;
    }
    return waits;
  }

  /** The outermost middleware of the worker. */
  readonly middleware: Middleware = async (context, next) => {
    const { id, type } = context;
    const one: AttemptInProgress = { id, type, realWaitLeftMs: this.#options.realWaitMs };
    this.#running.add(one);
    this.#changes++;
    try {
      this.#options.onBegun(context);
      const result = await next();
      await this.#options.onReturned(context);
      return result;
    } finally {
      this.#running.delete(one);
      this.#changes++;
    }
  };
}
