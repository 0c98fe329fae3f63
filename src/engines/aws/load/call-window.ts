import type { Clock } from '../../../ports/clock.ts';

const sliceMs = 500;
const slices = 8;
/** The number of a time slice that counts no calls. It is not 0, since the monotonic clock may start at 0. */
const never = Number.NEGATIVE_INFINITY;

interface Slice {
  /** The number of the half second whose calls this time slice counts, or `never`. */
  number: number;
  good: number;
  bad: number;
}

/** Counts the good and bad calls to a service in the last 4 s, in slices of half a second. */
export class CallWindow {
  readonly #clock: Clock;
  readonly #slices: Slice[] = Array.from({ length: slices }, () => ({ number: never, good: 0, bad: 0 }));

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(outcome: 'good' | 'bad'): void {
    const number = this.#now();
    const slice = this.#slices[number % slices] as Slice;
    if (slice.number !== number) Object.assign(slice, { number, good: 0, bad: 0 });
    slice[outcome]++;
  }

  sum(): { readonly good: number; readonly bad: number } {
    const oldest = this.#now() - slices;
    let good = 0;
    let bad = 0;
    for (const slice of this.#slices) {
      if (slice.number <= oldest) continue;
      good += slice.good;
      bad += slice.bad;
    }
    return { good, bad };
  }

  forget(): void {
    for (const slice of this.#slices) slice.number = never;
  }

  #now(): number {
    return Math.floor(this.#clock.monotonic() / sliceMs);
  }
}
