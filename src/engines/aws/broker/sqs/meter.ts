/** A kind of call to SQS. AWS bills one request per call, however many messages it carries. */
export type SqsCall = 'send' | 'receive' | 'emptyReceive' | 'changeVisibility' | 'delete' | 'lookUp';

export interface SqsMetered {
  /** The number of calls that SQS answered. */
  calls: number;
  /** The number of messages in the calls that SQS answered. */
  messages: number;
  /** The number of calls to SQS that failed even after the SDK's retries. */
  failed: number;
}

/**
 * Counts calls to SQS by kind since the start or `reset`. A ReceiveMessage call that returns no message counts as
 * `emptyReceive`.
 */
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

  /** Returns a copy of all counts, by kind of call to SQS. */
  read(): Readonly<Partial<Record<SqsCall, SqsMetered>>> {
    return Object.fromEntries([...this.#kinds].map(([kind, metered]) => [kind, { ...metered }]));
  }

  reset(): void {
    this.#kinds.clear();
  }
}
