/** The next version of the drill's worker, which has a defect: it reads a field that orders do not have. */
import { defineWorker, handle } from '../../../src/index.ts';
import { charge, queues } from './contract.ts';
import { booking, concurrency, sending } from './handlers.ts';

const charging = handle(charge, (input) => {
  const { customer } = input as unknown as { readonly customer: { readonly discount: number } };
  return customer.discount;
});

export default defineWorker({ queues, handlers: [charging, sending, booking], concurrency });
