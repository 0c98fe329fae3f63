const firstPauseMs = 500;
const longestPauseMs = 20_000;

/** How long what failed is left alone: longer each time, until it works. Whoever asks keeps the time. */
export class Pause {
  #failures = 0;
  #isOn = false;

  get isOn(): boolean {
    return this.#isOn;
  }

  /** It has not worked since it failed, whether or not the pause is over. */
  get hasFailed(): boolean {
    return this.#failures > 0;
  }

  /** Begins a pause of so long, in ms. Undefined: one is on, as where several calls at once fail. */
  failed(): number | undefined {
    if (this.#isOn) return undefined;
    this.#isOn = true;
    return Math.min(longestPauseMs, firstPauseMs * 2 ** this.#failures++);
  }

  end(): void {
    this.#isOn = false;
  }

  worked(): void {
    this.#failures = 0;
  }
}
