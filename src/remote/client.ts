/**
 * `holdfast/client`: submits tasks to a server, reads them and waits for their results. Its graph holds no server, no engine
 * and no worker, so a bundle of it is small and needs no file beside it. `holdfast/worker` also runs workers.
 */
import type { SubmitClient } from '../client/client.ts';
import { type ConnectOptions, connector } from '../client/connect.ts';
import { remoteParts } from './parts.ts';

export type { ListOptions, SubmitClient, SubmitOutcome, TaskPage } from '../client/client.ts';
export type { ClientTls, ConnectOptions } from '../client/connect.ts';
export type { JsonInput, NotJson } from '../client/contract/json-leaves.ts';
export {
  defineTask,
  type InputOf,
  type ResultOf,
  type Retry,
  type TaskContract,
  type TaskOptions,
  type TaskType,
  typed,
} from '../client/contract/task.ts';
export { type Duration, durationMs } from '../client/duration.ts';
export { type Code, HoldfastError, type Reason, TaskFailedError, type Violation } from '../client/errors.ts';
export type { Logger } from '../client/log.ts';
export type { Submit } from '../client/submit/submit-call.ts';
export type { SubmitOptions } from '../client/submit/submit-options.ts';
export type { Explanation, Trouble, TroubleGroup, VerdictCode } from '../client/tasks/explanation.ts';
export type { DeadReason, EventType, State, TaskEvent, TaskStatus } from '../client/tasks/status.ts';
export type { SubmittedTask, TaskHandle } from '../client/tasks/task-handle.ts';
export type { Priority } from '../core/priority.ts';

/** The type of `connect` of `holdfast/client`. */
export type ConnectSubmitClient = (url?: string, options?: ConnectOptions) => SubmitClient;

/**
 * Returns a client of the server that the URL names (`holdfast://host:port`), or else HOLDFAST_URL, or else the profile that
 * `holdfast dev` wrote. It returns at once and connects at the first call. It opens no store and runs no worker: those need
 * `connect` of `holdfast` and of `holdfast/worker`.
 *
 * @throws HoldfastError INVALID_ARGUMENT, reason BAD_CONFIGURATION, if no server or no certificate is known, or if the URL
 * names a store (`file:…`, `memory:`).
 *
 * @example
 * ```ts
 * import { connect } from 'holdfast/client';
 *
 * const client = connect('holdfast://queue.internal:7433');
 * await client.submit(sendEmail, { to: 'ada@example.com' });
 * ```
 */
export const connect: ConnectSubmitClient = connector(remoteParts);
