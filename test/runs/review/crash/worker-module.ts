/** A worker as `holdfast worker` runs it. Its handler of a task with the number 1 never ends in time; any other task ends at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { defineTask, defineWorker, handle, typed } from '../../../../src/index.ts';

const { WORKER = '', QUEUE = '' } = process.env;
const job = defineTask('job', { queue: QUEUE, input: typed<{ readonly n: number }>() });

export default defineWorker({
  name: WORKER,
  queues: [QUEUE],
  concurrency: 1,
  handlers: [
    handle(job, ({ n }, { signal }) => (n === 1 ? sleep(600_000, undefined, { signal }) : undefined)),
  ],
});
