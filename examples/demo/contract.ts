import { defineTask, typed } from 'holdfast';

/** A webhook that is to be delivered. */
export interface Delivery {
  /** The unique id of the payload, like GitHub's X-GitHub-Delivery header. */
  readonly delivery: string;
  readonly event: string;
  /** The ordering key; empty if the delivery is not ordered. */
  readonly lane: string;
  readonly body: unknown;
}

/** The task type that delivers a webhook to the receiver. */
export const deliver = defineTask('deliver', {
  input: typed<Delivery>(),
  output: typed<{ status: number }>(),
  queue: 'webhooks',
  retry: { maxAttempts: 12, backoff: { base: '200ms', max: '1s' } },
  timeout: '2s',
  idempotencyKey: ({ delivery }) => delivery,
});
