/** The task types of the drill, as its load and its workers know them. */
import { defineTask, typed } from '../../../src/index.ts';

export const letterQueue = 'mail';
export const laneQueue = 'ledger';
export const queues = ['orders', letterQueue, laneQueue] as const;

/** A task whose handler asks another service. */
export const charge = defineTask('charge', {
  queue: 'orders',
  input: typed<{ readonly order: number; readonly pages: number }>(),
  output: typed<number>(),
  retry: { maxAttempts: 2, backoff: () => '1ms' },
});

/** A task that is worth nothing after its deadline. */
export const send = defineTask('send', {
  queue: letterQueue,
  input: typed<{ readonly letter: number }>(),
  output: typed<string>(),
});

/** A task of the lane of its account. */
export const book = defineTask('book', {
  queue: laneQueue,
  input: typed<{ readonly account: string; readonly cents: number }>(),
  output: typed<number>(),
  orderingKey: ({ account }) => account,
});

/** The environment variable with the URL of the service that handlers of `charge` ask. */
export const pricesVariable = 'DRILL_PRICES_URL';
/** An order with more pages than these is drawn by a call that blocks the thread of its worker. */
export const mostPages = 10;
/** How long a letter may take until it is worth nothing. */
export const letterMs = 6_000;
/** The tasks of each type that are submitted in a second. */
export const perS = 2;
