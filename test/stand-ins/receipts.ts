/**
 * Tracks receipt handles as AWS does for FIFO queues, and stand-ins do not: a handle is valid until its message is
 * received again or its visibility timeout ends. After that a call with the handle is refused, like a call with a
 * made-up handle.
 */
interface HandleEntry {
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

/** The longest that SQS hides a message, counted from its receipt: 12 h. */
const longestHiddenMs = 43_200_000;

export class Receipts {
  readonly #now: () => number;
  readonly #current = new Map<string, string>();
  readonly #byReceiptHandle = new Map<string, Receipt>();

  constructor(now: () => number) {
    this.#now = now;
  }

  noteReceived(queue: string, message: string, receiptHandle: string, visibilityMs: number): void {
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

  /** Returns the error with which SQS would refuse an entry of a batch, or undefined if SQS would accept it. */
  refusal({ Id, ReceiptHandle, VisibilityTimeout = 0 }: HandleEntry): Refusal | undefined {
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

  noteVisibility({ ReceiptHandle, VisibilityTimeout = 0 }: HandleEntry): void {
    const receipt = this.#byReceiptHandle.get(ReceiptHandle);
    if (receipt !== undefined) receipt.visibleAtMs = this.#now() + VisibilityTimeout * 1_000;
  }

  noteDeleted({ ReceiptHandle }: HandleEntry): void {
    const receipt = this.#byReceiptHandle.get(ReceiptHandle);
    this.#byReceiptHandle.delete(ReceiptHandle);
    if (receipt !== undefined) this.#current.delete(receipt.message);
  }
}
