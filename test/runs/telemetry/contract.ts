/** The task of `npm run test:telemetry`, as its client and its worker know it. */
import { defineTask, typed } from '../../../src/index.ts';

export const queue = 'documents';

/** The queue of the worker in Python. */
export const pythonQueue = 'scripts';

/** A task whose first attempt fails, so that its trace has a retry. */
export const render = defineTask('render', {
  queue,
  input: typed<{ readonly document: number }>(),
  output: typed<string>(),
  retry: { maxAttempts: 3, backoff: () => '1ms' },
});

/** The same task for the worker in Python. */
export const renderInPython = defineTask('renderInPython', {
  queue: pythonQueue,
  input: typed<{ readonly document: number }>(),
  output: typed<string>(),
});
