import { defineTask, typed } from 'holdfast';

export interface Delivery {
  /** As GitHub's X-GitHub-Delivery would be: one a payload. */
  readonly delivery: string;
  readonly event: string;
  readonly lane: string;
  readonly body: unknown;
}

export const deliver = defineTask('deliver', {
  input: typed<Delivery>(),
  output: typed<{ status: number }>(),
  queue: 'webhooks',
  retry: { maxAttempts: 12, backoff: { base: '200ms', max: '1s' } },
  timeout: '2s',
  idempotencyKey: ({ delivery }) => delivery,
});
