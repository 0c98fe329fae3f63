/**
 * What AWS does with receipt handles and stand-ins do not: on a FIFO queue a handle is good until its message is
 * received anew or its time has passed, and is refused from then on, as nonsense is.
 */
interface Entry {
  readonly Id: string;
  readonly ReceiptHandle: string;
  readonly VisibilityTimeout?: number;
}

export interface Refusal {
  readonly Id: string;
  readonly SenderFault: boolean;
  readonly Code: string;
  readonly Message: string;
}

interface Receipt {
  readonly message: string;
  readonly receivedAtMs: number;
  visibleAtMs: number;
}

/** SQS hides a message for 12 hours in all. */
const longestHiddenMs = 43_200_000;

export class Receipts {
  readonly #now: () => number;
  readonly #current = new Map<string, string>();
  readonly #byReceiptHandle = new Map<string, Receipt>();

  constructor(now: () => number) {
    this.#now = now;
  }

  received(queue: string, message: string, receiptHandle: string, visibilityMs: number): void {
    const name = `${queue} ${message}`;
    const before = this.#current.get(name);
    if (before !== undefined) this.#byReceiptHandle.delete(before);
    this.#current.set(name, receiptHandle);
    const receivedAtMs = this.#now();
    this.#byReceiptHandle.set(receiptHandle, {
      message: name,
      receivedAtMs,
      visibleAtMs: receivedAtMs + visibilityMs,
    });
  }

  /** Undefined: SQS would take it. */
  refusal({ Id, ReceiptHandle, VisibilityTimeout = 0 }: Entry): Refusal | undefined {
    const receipt = this.#byReceiptHandle.get(ReceiptHandle);
    const refused = (Code: string, Message: string): Refusal => ({ Id, SenderFault: true, Code, Message });
    if (receipt === undefined)
      return refused('ReceiptHandleIsInvalid', 'The input receipt handle is invalid.');
    if (receipt.visibleAtMs <= this.#now()) {
      return refused('InvalidParameterValue', 'Reason: The receipt handle has expired.');
    }
    if (this.#now() + VisibilityTimeout * 1_000 > receipt.receivedAtMs + longestHiddenMs) {
      return refused(
        'InvalidParameterValue',
        'Reason: Total VisibilityTimeout is beyond the limit [43200 seconds].',
      );
    }
    return undefined;
  }

  hidden({ ReceiptHandle, VisibilityTimeout = 0 }: Entry): void {
    const receipt = this.#byReceiptHandle.get(ReceiptHandle);
    if (receipt !== undefined) receipt.visibleAtMs = this.#now() + VisibilityTimeout * 1_000;
  }

  deleted({ ReceiptHandle }: Entry): void {
    const receipt = this.#byReceiptHandle.get(ReceiptHandle);
    this.#byReceiptHandle.delete(ReceiptHandle);
    if (receipt !== undefined) this.#current.delete(receipt.message);
  }
}
