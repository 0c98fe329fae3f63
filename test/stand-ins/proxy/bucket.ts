/**
 * A token bucket in debt, as DynamoDB's is: a request is admitted while anything is left, then charged what it really
 * cost, and the next waits until that is paid off.
 */
export class Bucket {
  readonly #perS: number;
  readonly #most: number;
  #level: number;
  #atMs: number;

  /** `burstS`: how many seconds of unused units it keeps. It starts full. */
  constructor(perS: number, burstS: number, nowMs: number) {
    this.#perS = perS;
    this.#most = perS * burstS;
    this.#level = this.#most;
    this.#atMs = nowMs;
  }

  admits(nowMs: number): boolean {
    this.#refill(nowMs);
    return this.#level > 0;
  }

  charge(units: number, nowMs: number): void {
    this.#refill(nowMs);
    this.#level -= units;
  }

  #refill(nowMs: number): void {
    const passedS = Math.max(0, nowMs - this.#atMs) / 1_000;
    this.#atMs = Math.max(this.#atMs, nowMs);
    this.#level = Math.min(this.#most, this.#level + passedS * this.#perS);
  }
}
