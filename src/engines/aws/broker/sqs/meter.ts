/** A kind of call to SQS; each costs one request, however many messages it carries. */
export type SqsCall = 'send' | 'receive' | 'emptyReceive' | 'changeVisibility' | 'delete' | 'lookUp';

export interface SqsMetered {
  /** Requests that were answered. */
  calls: number;
  /** Messages in them. */
  messages: number;
  /** Requests that failed, after the SDK's own retries. */
  failed: number;
}

/** Counts calls by kind; the numbers only rise until `reset`. A receive that brought nothing is `emptyReceive`. */
export class SqsMeter {
  readonly #kinds = new Map<SqsCall, SqsMetered>();

  #of(kind: SqsCall): SqsMetered {
    const known = this.#kinds.get(kind);
    if (known !== undefined) return known;
    const made: SqsMetered = { calls: 0, messages: 0, failed: 0 };
    this.#kinds.set(kind, made);
    return made;
  }

  answered(kind: SqsCall, messages: number): void {
    const metered = this.#of(kind);
    metered.calls++;
    metered.messages += messages;
  }

  failed(kind: SqsCall): void {
    this.#of(kind).failed++;
  }

  /** A copy of everything, by kind. */
  read(): Readonly<Partial<Record<SqsCall, SqsMetered>>> {
    return Object.fromEntries([...this.#kinds].map(([kind, metered]) => [kind, { ...metered }]));
  }

  reset(): void {
    this.#kinds.clear();
  }
}
