import { seededRandom } from '../../../src/testing/random.ts';

/** A deterministic source of choices. Equal seeds make equal choices. */
export class Random {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = seededRandom(seed);
  }

  /** Returns the source of one case: it does not depend on the cases before, so that a case can be repeated alone. */
  static ofCase(seed: number, number: number): Random {
    return new Random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b));
  }

  /** Returns a whole number from 0 to `below` - 1, or 0 if `below` is 0. */
  below(below: number): number {
    return Math.floor(this.#next() * below);
  }

  /** Returns a whole number between the two numbers, both included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  chance(share: number): boolean {
    return this.#next() < share;
  }

  pick<T>(values: readonly T[]): T {
    if (values.length === 0) throw new Error('there is nothing to choose from');
    return values[this.below(values.length)] as T;
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length);
    for (let i = 0; i < length; i++) bytes[i] = this.below(256);
    return bytes;
  }
}
