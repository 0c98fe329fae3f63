import { delayMs } from '../../../core/backoff.ts';
import { timing } from '../../../core/limits.ts';
import type { Delivery } from '../../../ports/broker.ts';
import type { Clock } from '../../../ports/clock.ts';

/**
 * How long this process buffers a delivery for which no waiting receive call has room, in ms. Then SQS may deliver it
 * again.
 */
const bufferedMs = 1_000;
/**
 * How long this process buffers a delivery that is passed over, in ms: 1 s, doubled with each receive of the message up
 * to 8 s. The polls go on meanwhile, so SQS would otherwise deliver the message again at once.
 */
const passedOver = { firstMs: 1_000, longestMs: 8_000 } as const;
/**
 * The least time, in ms, for which a delivery is passed over for each other delivery that is passed over with it: the
 * polls need this time to get behind all of them. A thousand messages are buffered for 8 s. The time is doubled with the
 * second and with the third receive.
 */
const eachPassedOverMs = 8;
/** SQS hides a received message for 32 s. A passed-over message is shown again some seconds before that. */
const longestPassedOverMs = 24_000;
/** How long SQS hides a message whose task is claimed, in ms. */
const claimedMs = timing.leaseMs + timing.clockGuardMs;

interface BufferedDelivery {
  readonly delivery: Delivery;
  readonly sinceMs: number;
  isPassedOver: boolean;
  cancel: () => void;
}

/** The calls to SQS that the buffer makes. */
export interface BufferCalls {
  /** Hides a message for `ms` from now on. */
  hide(delivery: Delivery, ms: number): Promise<void>;
}

/**
 * The deliveries of one SQS queue that no receive call has taken yet. SQS hides their messages. A delivery is *passed
 * over* if a waiting receive call has room, but not for a task of its type: it stays here for longer than others, so that
 * the polls find the messages behind it, and is taken from here once its type has room.
 */
export class DeliveryBuffer {
  readonly #clock: Clock;
  readonly #calls: BufferCalls;
  readonly #buffered = new Set<BufferedDelivery>();
  #passedOverCount = 0;

  constructor(clock: Clock, calls: BufferCalls) {
    this.#clock = clock;
    this.#calls = calls;
  }

  /** The number of buffered deliveries that are not passed over. */
  get waitingCount(): number {
    return this.#buffered.size - this.#passedOverCount;
  }

  add(delivery: Delivery, isPassedOver: boolean): void {
    const buffered: BufferedDelivery = {
      delivery,
      sinceMs: this.#clock.monotonic(),
      isPassedOver,
      cancel: this.#clock.after(bufferedMs, () => this.#check(buffered)),
    };
    this.#buffered.add(buffered);
    if (isPassedOver) this.#passedOverCount++;
  }

  /** Removes the deliveries that `accepts` accepts, and returns them. */
  take(accepts: (delivery: Delivery) => boolean): Delivery[] {
    const taken: Delivery[] = [];
    for (const buffered of this.#buffered) {
      if (!accepts(buffered.delivery)) continue;
      this.#remove(buffered);
      taken.push(buffered.delivery);
      // The claim that follows expects that SQS hides the message for the length of a lease.
      if (this.#ageMs(buffered) > bufferedMs) void this.#calls.hide(buffered.delivery, claimedMs);
    }
    return taken;
  }

  /** Marks these deliveries as passed over, so that they stay here for longer. */
  passOver(deliveries: ReadonlySet<Delivery>): void {
    for (const buffered of this.#buffered) {
      if (buffered.isPassedOver || !deliveries.has(buffered.delivery)) continue;
      buffered.isPassedOver = true;
      this.#passedOverCount++;
    }
  }

  /** Makes all buffered deliveries visible in SQS again at once. */
  async returnAll(): Promise<void> {
    await Promise.all([...this.#buffered].map((buffered) => this.#return(buffered)));
  }

  /** Returns a delivery to SQS if its time is over. The time of a passed-over delivery grows with their number. */
  #check(buffered: BufferedDelivery): void {
    const leftMs = this.#timeOf(buffered) - this.#ageMs(buffered);
    if (leftMs <= 0) void this.#return(buffered);
    else buffered.cancel = this.#clock.after(Math.ceil(leftMs), () => this.#check(buffered));
  }

  #timeOf({ delivery, isPassedOver }: BufferedDelivery): number {
    if (!isPassedOver) return bufferedMs;
    const repeats = delivery.receiveCount - 1;
    const behindAllMs = eachPassedOverMs * this.#passedOverCount * 2 ** Math.min(2, repeats);
    return Math.min(longestPassedOverMs, Math.max(delayMs(passedOver, repeats), behindAllMs));
  }

  #ageMs({ sinceMs }: BufferedDelivery): number {
    return this.#clock.monotonic() - sinceMs;
  }

  #remove(buffered: BufferedDelivery): void {
    buffered.cancel();
    this.#buffered.delete(buffered);
    if (buffered.isPassedOver) this.#passedOverCount--;
  }

  #return(buffered: BufferedDelivery): Promise<void> {
    this.#remove(buffered);
    return this.#calls.hide(buffered.delivery, 0);
  }
}
