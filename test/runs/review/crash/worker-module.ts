/** A worker whose handler never ends in time, as `holdfast worker` runs it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { defineTask, defineWorker, handle, typed } from '../../../../src/index.ts';

const { WORKER = '', QUEUE = '' } = process.env;
const job = defineTask('job', { queue: QUEUE, input: typed<{ readonly n: number }>() });

export default defineWorker({
  name: WORKER,
  queues: [QUEUE],
  concurrency: 1,
  handlers: [handle(job, (_, { signal }) => sleep(600_000, undefined, { signal }))],
});
