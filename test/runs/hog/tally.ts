/**
 * The ways in which the success of an attack is counted. An item is a connection, a stream, a call or a message, as
 * `counts` of the attack says.
 * - `held`: the most items that the server held at the same time, each for at least 1.5 s;
 * - `answered`: the items that the server answered without an error;
 * - `sent`: the items that were sent, for an attack that the server refuses by design.
 */
export type Measure = 'held' | 'answered' | 'sent';
export type Reached = Readonly<Record<Measure, number>>;

/** An item that the server ended sooner was refused, not held: the server answers a refused call after a second at most. */
const heldAfterMs = 1_500;

/** Counts the items that an attack sends, that the server holds for it, and that the server answers. */
export class Tally {
  #sent = 0;
  #answered = 0;
  #heldNow = 0;
  #mostHeld = 0;

  get reached(): Reached {
    return { sent: this.#sent, answered: this.#answered, held: this.#mostHeld };
  }

  sent(count = 1): void {
    this.#sent += count;
  }

  /** Counts items that the server answered without an error. */
  answered(count = 1): void {
    this.#answered += count;
  }

  /** Counts an item as sent, and as held from 1.5 s later until the function that is returned is called. */
  hold(): () => void {
    this.sent();
    let isHeld = false;
    const timer = setTimeout(() => {
      isHeld = true;
      this.#mostHeld = Math.max(this.#mostHeld, ++this.#heldNow);
    }, heldAfterMs);
    timer.unref();
    return () => {
      clearTimeout(timer);
      if (isHeld) this.#heldNow--;
      isHeld = false;
    };
  }
}
