/** Nothing listens at the address of SQS. */
import type { Injector } from './injector.ts';

export const sqsUnreachable: Injector = {
  store: 'aws',
  inject: async (site) => site.store.sqs?.outage('refuse'),
};
