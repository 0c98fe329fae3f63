/**
 * `holdfast/worker`: all of `holdfast/client`, and workers that get their tasks from a server. Its graph holds no server and
 * no engine.
 */
import { type Connect, connector } from '../client/connect.ts';
import { startWorker } from '../client/worker/worker.ts';
import { remoteParts } from './parts.ts';

export type { Client } from '../client/client.ts';
export type { Connect } from '../client/connect.ts';
export type { AttemptContext } from '../client/context.ts';
export {
  type DeadTask,
  defineWorker,
  type HandleOptions,
  type Handler,
  handle,
  type Middleware,
  type WorkerOptions,
  type WorkerSpec,
} from '../client/contract/handler.ts';
export { type AbortKind, AttemptAborted, FatalError, RetryAfter, Snooze } from '../client/errors.ts';
export type { DrainReport, RunningWorker } from '../client/worker/running.ts';
export * from './client.ts';

/**
 * Returns a client of a server, as `connect` of `holdfast/client` does, that can also run workers (`client.work`).
 *
 * @throws HoldfastError INVALID_ARGUMENT, reason BAD_CONFIGURATION, as `connect` of `holdfast/client` does.
 *
 * @example
 * ```ts
 * import { connect } from 'holdfast/worker';
 *
 * const running = await connect('holdfast://queue.internal:7433').work(worker);
 * ```
 */
export const connect: Connect = connector({ ...remoteParts, startWorker });
