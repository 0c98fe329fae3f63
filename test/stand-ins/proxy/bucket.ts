/**
 * A token bucket that can go into debt, as the token buckets of DynamoDB do. A request is admitted while the bucket's
 * level is above 0 and then charged its real cost. The next request is refused until the refill has paid the debt.
 */
export class Bucket {
  readonly #perS: number;
  readonly #most: number;
  #level: number;
  #atMs: number;

  /** Keeps unused units of up to `burstS` seconds. The bucket starts full. */
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
