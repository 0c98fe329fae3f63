import type { Clock } from '../../../ports/clock.ts';

const sliceMs = 500;
const slices = 8;
/** The number of a time slice that counts no calls. It is not 0, since the monotonic clock may start at 0. */
const never = Number.NEGATIVE_INFINITY;

/** The number of good and bad calls. */
export interface CallCounts {
  good: number;
  bad: number;
}

interface Slice {
  /** The number of the half second whose calls this time slice counts, or `never`. */
  number: number;
  /** The counts of each place; the last ones are those of calls that go to no place alone. */
  places: CallCounts[];
}

/** The number of places among which the calls to a service are divided. */
export const callPlaces = 4;

const none = (): CallCounts[] => Array.from({ length: callPlaces + 1 }, () => ({ good: 0, bad: 0 }));

/** The calls of the last 4 s. */
export interface RecentCalls {
  readonly all: CallCounts;
  /** All but those of the place with the most bad ones. */
  readonly elsewhere: CallCounts;
}

/** Counts the good and bad calls to a service in the last 4 s, in slices of half a second and by place. */
export class CallWindow {
  readonly #clock: Clock;
  readonly #slices: Slice[] = Array.from({ length: slices }, () => ({ number: never, places: none() }));

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts a call. `place` is undefined if it goes to no place alone. */
  add(outcome: 'good' | 'bad', place: number | undefined): void {
    const number = this.#now();
    const slice = this.#slices[number % slices] as Slice;
    if (slice.number !== number) Object.assign(slice, { number, places: none() });
    (slice.places[place ?? callPlaces] as CallCounts)[outcome]++;
  }

  sum(): RecentCalls {
    const oldest = this.#now() - slices;
    const places = none();
    const all = { good: 0, bad: 0 };
    for (const slice of this.#slices) {
      if (slice.number <= oldest) continue;
      slice.places.forEach(({ good, bad }, i) => {
        const place = places[i] as CallCounts;
        place.good += good;
        place.bad += bad;
        all.good += good;
        all.bad += bad;
      });
    }
    places.pop();
    const worst = places.reduce((most, one) => (one.bad > most.bad ? one : most));
    return { all, elsewhere: { good: all.good - worst.good, bad: all.bad - worst.bad } };
  }

  forget(): void {
    for (const slice of this.#slices) slice.number = never;
  }

  #now(): number {
    return Math.floor(this.#clock.monotonic() / sliceMs);
  }
}
