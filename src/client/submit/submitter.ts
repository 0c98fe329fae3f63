import { mostItemBytes } from '../../core/codec/submit.ts';
import { asHoldfastError, HoldfastError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { SubmitItem, SubmitOk } from '../../core/messages.ts';
import type { Clock } from '../../ports/clock.ts';
import { errorOf, mayRepeat, reconnectMs } from '../backoff.ts';
import { Fifo } from '../fifo.ts';
import type { Transport } from '../transport.ts';

/**
 * The largest number of submission batches of one queue in flight at one time: enough to hide a round trip, few enough
 * for full batches.
 */
const maxBatchesInFlight = 4;
/**
 * The largest total size of the items of a submission batch, in bytes. The message limit is 1 KiB higher, which leaves
 * room for the names of tenant and queue.
 */
const batchBytes = limits.wireMessageBytes - 1_024;
const callTimeoutMs = 10_000;

interface PendingSubmission {
  readonly item: SubmitItem;
  readonly bytes: number;
  readonly giveUpAtMs: number;
  tries: number;
  resolve(ok: SubmitOk): void;
  reject(error: HoldfastError): void;
}

/** The submissions of one queue: those that wait to be sent, and the number of batches in flight. */
interface QueueBuffer {
  readonly queue: string;
  readonly waiting: Fifo<PendingSubmission>;
  inFlight: number;
  sendScheduled: boolean;
  /**
   * No batch of the queue is sent before this time on the monotonic clock, because the server refused a call and
   * requested a wait until this time.
   */
  notBeforeMs: number;
}

export interface SubmitterOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly tenant: string;
  /** A failed submission is retried for this many milliseconds before its error goes to the caller. */
  readonly retryForMs: number;
  /** Called for each submission that is retried; the client logs the error, so that users see why a call takes long. */
  readonly onRetry?: ((error: HoldfastError) => void) | undefined;
}

/**
 * Collects the submissions of one turn of the event loop and sends them as batches per queue. A submission that failed
 * with a temporary error is sent again until the time of `retryForMs` is over. Sending it again is safe, because each
 * submission has an idempotency key: if the first try was accepted after all, the server answers the second try with
 * the same task.
 */
export class Submitter {
  readonly #options: SubmitterOptions;
  readonly #buffers = new Map<string, QueueBuffer>();
  /** The queues whose submissions are sent at the end of this turn of the event loop, together. */
  #due: QueueBuffer[] = [];
  #closed = false;

  constructor(options: SubmitterOptions) {
    this.#options = options;
  }

  submit(queue: string, item: SubmitItem): Promise<SubmitOk> {
    if (this.#closed) return Promise.reject(closedBeforeAccepted());
    const { clock, retryForMs } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<SubmitOk>();
    const bytes = mostItemBytes(item);
    const giveUpAtMs = clock.monotonic() + retryForMs;
    this.#add(queue, [{ item, bytes, giveUpAtMs, tries: 0, resolve, reject }]);
    return promise;
  }

  /** Rejects the submissions that were not sent yet. Submissions in flight may still be accepted. */
  close(): void {
    this.#closed = true;
    for (const buffer of this.#buffers.values()) {
      for (const pending of buffer.waiting.clear()) pending.reject(closedBeforeAccepted());
    }
  }

  #add(queue: string, items: readonly PendingSubmission[]): void {
    let buffer = this.#buffers.get(queue);
    if (buffer === undefined) {
      buffer = { queue, waiting: new Fifo(), inFlight: 0, sendScheduled: false, notBeforeMs: 0 };
      this.#buffers.set(queue, buffer);
    }
    for (const pending of items) buffer.waiting.push(pending);
    this.#scheduleSend(buffer);
  }

  #scheduleSend(buffer: QueueBuffer): void {
    if (buffer.sendScheduled || buffer.inFlight >= maxBatchesInFlight || buffer.waiting.size === 0) return;
    buffer.sendScheduled = true;
    const { clock } = this.#options;
    const holdMs = buffer.notBeforeMs - clock.monotonic();
    if (holdMs > 0) clock.after(holdMs, () => this.#sendNow(buffer));
    else if (this.#due.push(buffer) === 1)
      clock.soon(() => {
        const due = this.#due;
        this.#due = [];
        for (const one of due) this.#sendNow(one);
      });
  }

  #sendNow(buffer: QueueBuffer): void {
    buffer.sendScheduled = false;
    if (buffer.notBeforeMs > this.#options.clock.monotonic()) {
      this.#scheduleSend(buffer);
      return;
    }
    while (buffer.inFlight < maxBatchesInFlight && buffer.waiting.size > 0) {
      buffer.inFlight++;
      void this.#send(buffer, this.#takeBatch(buffer));
    }
    this.#dropIfIdle(buffer);
  }

  #dropIfIdle(buffer: QueueBuffer): void {
    const held = buffer.notBeforeMs > this.#options.clock.monotonic();
    if (buffer.inFlight === 0 && buffer.waiting.size === 0 && !held) this.#buffers.delete(buffer.queue);
  }

  #takeBatch(buffer: QueueBuffer): PendingSubmission[] {
    const batch: PendingSubmission[] = [];
    let bytes = 0;
    for (let next = buffer.waiting.peek(); next !== undefined; next = buffer.waiting.peek()) {
      bytes += next.bytes;
      if (batch.length === limits.batchItems || (batch.length > 0 && bytes > batchBytes)) break;
      batch.push(next);
      buffer.waiting.shift();
    }
    return batch;
  }

  async #send(buffer: QueueBuffer, batch: readonly PendingSubmission[]): Promise<void> {
    const { transport, tenant } = this.#options;
    try {
      const items = batch.map((pending) => pending.item);
      const { results } = await transport.submit(
        { tenant, queue: buffer.queue, items },
        { timeoutMs: callTimeoutMs },
      );
      const retries: PendingSubmission[] = [];
      let retryAfterMs = 0;
      batch.forEach((pending, i) => {
        const result = results[i];
        if (result === undefined) pending.reject(missingResult());
        else if (result.error === undefined) pending.resolve(result);
        else {
          const error = errorOf(result.error);
          retryAfterMs = Math.max(retryAfterMs, error.retryAfterMs ?? 0);
          if (this.#retryOrReject(pending, error)) retries.push(pending);
        }
      });
      this.#resendLater(buffer.queue, retries, retryAfterMs);
    } catch (thrown) {
      const error = asHoldfastError(thrown);
      this.#holdBack(buffer, error.retryAfterMs ?? 0);
      const retries = batch.filter((pending) => this.#retryOrReject(pending, error));
      this.#resendLater(buffer.queue, retries, error.retryAfterMs ?? 0);
    }
    buffer.inFlight--;
    this.#scheduleSend(buffer);
    this.#dropIfIdle(buffer);
  }

  /**
   * Sends nothing to the queue for `ms` milliseconds: the server requested this wait when it refused a call, and would
   * refuse other calls too.
   */
  #holdBack(buffer: QueueBuffer, ms: number): void {
    const { clock } = this.#options;
    const untilMs = clock.monotonic() + ms;
    if (ms === 0 || untilMs <= buffer.notBeforeMs) return;
    buffer.notBeforeMs = untilMs;
    clock.after(ms, () => this.#dropIfIdle(buffer));
  }

  /** Returns true if the submission may be retried. Otherwise it rejects the submission and returns false. */
  #retryOrReject(pending: PendingSubmission, error: HoldfastError): boolean {
    const over = this.#options.clock.monotonic() >= pending.giveUpAtMs;
    if (mayRepeat(error) && !over && !this.#closed) {
      this.#options.onRetry?.(error);
      return true;
    }
    pending.reject(error);
    return false;
  }

  #resendLater(queue: string, items: readonly PendingSubmission[], retryAfterMs: number): void {
    if (items.length === 0) return;
    const { clock } = this.#options;
    const tries = Math.max(...items.map((pending) => pending.tries++));
    clock.after(reconnectMs(tries, clock.random(), retryAfterMs), () => {
      if (!this.#closed) this.#add(queue, items);
      else for (const pending of items) pending.reject(closedBeforeAccepted());
    });
  }
}

function closedBeforeAccepted(): HoldfastError {
  return new HoldfastError('CANCELLED', 'ABANDONED', 'This client was closed before the task was accepted.', {
    help: 'Close the client after its submissions have resolved. A submission with the same key is safe to repeat.',
  });
}

function missingResult(): HoldfastError {
  return new HoldfastError('INTERNAL', 'BUG', 'The server answered fewer items than were sent.', {
    help: 'This is a bug in Holdfast: please report it. Submitting again with the same key is safe.',
  });
}
