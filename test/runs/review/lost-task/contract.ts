/** The tasks of a customer who knows nothing but the time of his submission. All of them go to the queue `default`. */
import { defineTask, typed } from '../../../../src/index.ts';

interface Order {
  readonly order: number;
}

/** A task that fails, because its handler calls a service that refuses the call. */
export const charge = defineTask('charge', {
  input: typed<Order>(),
  retry: { maxAttempts: 2, backoff: () => '1ms' },
});

/** A task whose type no worker of the queue handles. */
export const exportOrder = defineTask('exportOrder', { input: typed<Order>() });

/** A task of the lane of its account. An amount of 0 is wrong for ever. */
export const book = defineTask('book', {
  input: typed<{ readonly account: string; readonly cents: number }>(),
  orderingKey: ({ account }) => account,
});

/** The second at which each task was submitted, in ms, and its id, by which the review compares the answers. */
export interface SubmittedTasks {
  readonly [name: string]: { readonly id: string; readonly atMs: number };
}
