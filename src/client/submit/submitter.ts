import { mostItemBytes } from '../../core/codec/submit.ts';
import { asHoldfastError, HoldfastError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { SubmitItem, SubmitOk } from '../../core/messages.ts';
import type { Clock } from '../../ports/clock.ts';
import { errorOf, mayRepeat, reconnectMs } from '../backoff.ts';
import { Fifo } from '../fifo.ts';
import type { Transport } from '../transport.ts';

/** Batches of one queue under way while more gather: enough to hide a round trip, few enough to make batches full. */
const batchesInFlight = 4;
/** Of the message's limit: the rest is for the names of tenant and queue. */
const batchBytes = limits.wireMessageBytes - 1_024;
const callTimeoutMs = 10_000;

interface Pending {
  readonly item: SubmitItem;
  readonly bytes: number;
  readonly giveUpAtMs: number;
  tries: number;
  resolve(ok: SubmitOk): void;
  reject(error: HoldfastError): void;
}

/** What goes to one queue: waiting items, and how many batches are under way. */
interface Lane {
  readonly queue: string;
  readonly waiting: Fifo<Pending>;
  inFlight: number;
  gathering: boolean;
  /** The server refused a whole call and asked not to be called sooner; on the monotonic clock. */
  notBeforeMs: number;
}

export interface SubmitterOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly tenant: string;
  /** How long a submission is tried again before its error is given to the caller. */
  readonly retryForMs: number;
  /** Told of what is tried again, so that nobody waits without knowing why. */
  readonly retrying?: ((error: HoldfastError) => void) | undefined;
}

/**
 * Sends what is submitted in one turn as one batch. Every item has a key, so whatever failed in a way that may pass
 * is sent again until its time is over; what was accepted meanwhile comes back as the same task.
 */
export class Submitter {
  readonly #options: SubmitterOptions;
  readonly #lanes = new Map<string, Lane>();
  #closed = false;

  constructor(options: SubmitterOptions) {
    this.#options = options;
  }

  submit(queue: string, item: SubmitItem): Promise<SubmitOk> {
    if (this.#closed) return Promise.reject(closed());
    const { clock, retryForMs } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<SubmitOk>();
    const bytes = mostItemBytes(item);
    const giveUpAtMs = clock.monotonic() + retryForMs;
    this.#add(queue, [{ item, bytes, giveUpAtMs, tries: 0, resolve, reject }]);
    return promise;
  }

  /** What is still waiting is refused; what is under way may yet be accepted. */
  close(): void {
    this.#closed = true;
    for (const lane of this.#lanes.values()) {
      for (const pending of lane.waiting.clear()) pending.reject(closed());
    }
  }

  #add(queue: string, items: readonly Pending[]): void {
    let lane = this.#lanes.get(queue);
    if (lane === undefined) {
      lane = { queue, waiting: new Fifo(), inFlight: 0, gathering: false, notBeforeMs: 0 };
      this.#lanes.set(queue, lane);
    }
    for (const pending of items) lane.waiting.push(pending);
    this.#gather(lane);
  }

  #gather(lane: Lane): void {
    if (lane.gathering || lane.inFlight >= batchesInFlight || lane.waiting.size === 0) return;
    lane.gathering = true;
    const { clock } = this.#options;
    const holdMs = lane.notBeforeMs - clock.monotonic();
    const when = (run: () => void): unknown => (holdMs > 0 ? clock.after(holdMs, run) : clock.soon(run));
    when(() => {
      lane.gathering = false;
      if (lane.notBeforeMs > clock.monotonic()) return this.#gather(lane);
      while (lane.inFlight < batchesInFlight && lane.waiting.size > 0) {
        lane.inFlight++;
        void this.#send(lane, this.#cut(lane));
      }
      this.#forget(lane);
    });
  }

  #forget(lane: Lane): void {
    const held = lane.notBeforeMs > this.#options.clock.monotonic();
    if (lane.inFlight === 0 && lane.waiting.size === 0 && !held) this.#lanes.delete(lane.queue);
  }

  #cut(lane: Lane): Pending[] {
    const batch: Pending[] = [];
    let bytes = 0;
    for (let next = lane.waiting.peek(); next !== undefined; next = lane.waiting.peek()) {
      bytes += next.bytes;
      if (batch.length === limits.batchItems || (batch.length > 0 && bytes > batchBytes)) break;
      batch.push(next);
      lane.waiting.shift();
    }
    return batch;
  }

  async #send(lane: Lane, batch: readonly Pending[]): Promise<void> {
    const { transport, tenant } = this.#options;
    try {
      const items = batch.map((pending) => pending.item);
      const { results } = await transport.submit(
        { tenant, queue: lane.queue, items },
        { timeoutMs: callTimeoutMs },
      );
      const again: Pending[] = [];
      let retryAfterMs = 0;
      batch.forEach((pending, i) => {
        const result = results[i];
        if (result === undefined) pending.reject(noAnswer());
        else if (result.error === undefined) pending.resolve(result);
        else {
          const error = errorOf(result.error);
          retryAfterMs = Math.max(retryAfterMs, error.retryAfterMs ?? 0);
          if (this.#mayTry(pending, error)) again.push(pending);
        }
      });
      this.#later(lane.queue, again, retryAfterMs);
    } catch (thrown) {
      const error = asHoldfastError(thrown);
      this.#hold(lane, error.retryAfterMs ?? 0);
      const again = batch.filter((pending) => this.#mayTry(pending, error));
      this.#later(lane.queue, again, error.retryAfterMs ?? 0);
    }
    lane.inFlight--;
    this.#gather(lane);
    this.#forget(lane);
  }

  /** What is submitted meanwhile waits too, instead of being refused likewise; what was refused comes again then. */
  #hold(lane: Lane, ms: number): void {
    const { clock } = this.#options;
    const untilMs = clock.monotonic() + ms;
    if (ms === 0 || untilMs <= lane.notBeforeMs) return;
    lane.notBeforeMs = untilMs;
    clock.after(ms, () => this.#forget(lane));
  }

  /** False: its caller has been told. */
  #mayTry(pending: Pending, error: HoldfastError): boolean {
    const over = this.#options.clock.monotonic() >= pending.giveUpAtMs;
    if (mayRepeat(error) && !over && !this.#closed) {
      this.#options.retrying?.(error);
      return true;
    }
    pending.reject(error);
    return false;
  }

  #later(queue: string, items: readonly Pending[], retryAfterMs: number): void {
    if (items.length === 0) return;
    const { clock } = this.#options;
    const tries = Math.max(...items.map((pending) => pending.tries++));
    clock.after(reconnectMs(tries, clock.random(), retryAfterMs), () => {
      if (!this.#closed) this.#add(queue, items);
      else for (const pending of items) pending.reject(closed());
    });
  }
}

function closed(): HoldfastError {
  return new HoldfastError('CANCELLED', 'ABANDONED', 'This client was closed before the task was accepted.', {
    help: 'Close the client after its submissions have resolved. The same key makes another try safe.',
  });
}

function noAnswer(): HoldfastError {
  return new HoldfastError('INTERNAL', 'BUG', 'The server answered fewer items than were sent.', {
    help: 'This is a defect. Submit again with the same key and please report it.',
  });
}
