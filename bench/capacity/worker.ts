/** The worker of `bench/capacity/measure.ts`, which `holdfast worker` runs. Its handler does nothing, so that only Holdfast is measured. */
import { defineTask, defineWorker, handle, typed } from '../../src/index.ts';

export const payloadTask = defineTask('capacity', { queue: 'capacity', input: typed<{ text: string }>() });

export default defineWorker({
  queues: ['capacity'],
  concurrency: 64,
  handlers: [handle(payloadTask, () => {})],
});
