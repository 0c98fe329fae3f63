/**
 * The tasks of `npm run test:backends`, as their client and their workers know them. The queue is the one that the runbooks
 * name, so that their queries find the tasks.
 */
import { defineTask, typed } from '../../../src/index.ts';

export const queue = 'mail';
/** The queue of the worker in Python. */
export const pythonQueue = 'scripts';
/** A queue that no worker takes tasks of. */
export const unservedQueue = 'attic';

interface Letter {
  readonly letter: number;
}

/** A task whose first attempt fails. */
export const send = defineTask('send', {
  queue,
  input: typed<Letter>(),
  output: typed<string>(),
  retry: { maxAttempts: 3, backoff: () => '1ms' },
});

/** The same task for the worker in Python. */
export const sendInPython = defineTask('sendInPython', {
  queue: pythonQueue,
  input: typed<Letter>(),
  output: typed<string>(),
});

/** A task that is dead after two attempts, each of which fails by another text. */
export const bounce = defineTask('bounce', {
  queue,
  input: typed<Letter>(),
  output: typed<string>(),
  retry: { maxAttempts: 2, backoff: () => '1ms' },
});

/** A task that succeeds at once. The collector need not keep its trace. */
export const frank = defineTask('frank', { queue, input: typed<Letter>(), output: typed<string>() });

/** A task that waits for ever, since no worker takes it. */
export const store = defineTask('store', {
  queue: unservedQueue,
  input: typed<Letter>(),
  output: typed<string>(),
});

/** The ids of the tasks that the client prints, and the traces in which it submitted them. */
export interface Submitted {
  /** The trace of one request of the client, which submitted `send` and `sendInPython`. */
  readonly traceId: string;
  readonly send: string;
  readonly sendInPython: string;
  readonly bounce: string;
  readonly frank: string;
  readonly frankTraceId: string;
}
