import type { Bell } from '../../ports/bells.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { decodeHandle } from './bells-handle.ts';
import { Pause } from './bells-pause.ts';
import { readMessages } from './bells-received.ts';
import type { SqsQueue } from './sqs-queue.ts';

/** What one call to SQS brings at most. */
export const receivedAtOnce = 10;
/** A received bell that nobody has room for is kept so long for whoever comes, then given back. */
const spareMs = 1_000;
/** Who polls on would be brought it again at once: hidden for 1 s, twice as long with each receive, 8 s at most. */
const passedOverDoublings = 3;

interface Spare {
  readonly bell: Bell;
  readonly cancel: () => void;
}

/** Receives from one SQS queue, and keeps what nobody had room for when it came. */
export class Level {
  readonly queue: SqsQueue;
  /** Polls of the ear under way. While there is one, nothing is there that it would not bring. */
  polls = 0;
  /** The last poll brought all that it asked for, so there is likely more. */
  full = false;
  /** Of the polls of the ear, after one that failed. */
  readonly pause = new Pause();
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #closing: AbortSignal;
  #spares: Spare[] = [];

  constructor(queue: SqsQueue, clock: Clock, log: Log, closing: AbortSignal) {
    this.queue = queue;
    this.#clock = clock;
    this.#log = log;
    this.#closing = closing;
  }

  /** Its last poll failed and none is under way, which may well work. */
  get isFailing(): boolean {
    return this.pause.hasFailed && this.polls === 0;
  }

  async poll(most: number, waitSeconds: number): Promise<Bell[]> {
    const attemptId = this.#clock.uuid();
    const messages = await this.queue.receive({ most, waitSeconds, attemptId, signal: this.#closing });
    this.full = messages.length === most;
    const { bells, doubles, unreadable } = readMessages(messages, this.queue, this.#clock.now());
    for (const receipt of doubles) void this.#quietly(this.queue.delete(receipt));
    for (const { MessageId } of unreadable) {
      const fields = { queue: this.queue.queue.queue, sqs_queue: this.queue.name, message_id: MessageId };
      this.#log.warn(fields, 'a message that is no bell of Holdfast is left to the dead-letter queue');
    }
    return [...bells];
  }

  /** `isPassedOver`: whoever it is left to has no room, and another polls on. */
  keep(bells: readonly Bell[], isPassedOver: (bell: Bell) => boolean): void {
    for (const bell of bells) {
      const doublings = Math.min(passedOverDoublings, Math.max(0, bell.receives - 1));
      const hiddenSeconds = isPassedOver(bell) ? 2 ** doublings : 0;
      const giveBack = (): void => void this.#giveBack(spare, hiddenSeconds);
      const spare: Spare = { bell, cancel: this.#clock.after(spareMs, giveBack) };
      this.#spares.push(spare);
    }
  }

  takeSpares(most: number, wanted: (bell: Bell) => boolean): Bell[] {
    const taken = this.#spares.filter(({ bell }) => wanted(bell)).slice(0, most);
    this.#spares = this.#spares.filter((spare) => !taken.includes(spare));
    for (const spare of taken) spare.cancel();
    return taken.map((spare) => spare.bell);
  }

  /** At once, since this process hears no more. */
  async giveBackSpares(): Promise<void> {
    await Promise.all(this.#spares.map((spare) => this.#giveBack(spare, 0)));
  }

  async #giveBack(spare: Spare, hiddenSeconds: number): Promise<void> {
    spare.cancel();
    this.#spares = this.#spares.filter((one) => one !== spare);
    const receipt = decodeHandle(spare.bell.handle)?.receipt;
    if (receipt !== undefined) await this.#quietly(this.queue.hide(receipt, hiddenSeconds));
  }

  /** Where it fails the message comes back by itself. */
  async #quietly(call: Promise<boolean>): Promise<void> {
    try {
      await call;
    } catch (err) {
      this.#log.debug({ err, sqs_queue: this.queue.name }, 'a bell was left hidden');
    }
  }
}
