/** The public SDK. */

export type { Client, ClientOptions, ListOptions, SubmitOutcome, TaskPage } from './client/client.ts';
export { createClient } from './client/client.ts';
export type { ClientTls, Connect, ConnectOptions } from './client/connect.ts';
export type { Context } from './client/context.ts';
export {
  type DeadTask,
  defineWorker,
  type HandleOptions,
  type Handler,
  handle,
  type Middleware,
  type WorkerOptions,
  type WorkerSpec,
} from './client/contract/handler.ts';
export type { NotJson } from './client/contract/json-leaves.ts';
export {
  defineTask,
  type InputOf,
  type ResultOf,
  type Retry,
  type Task,
  type TaskOptions,
  typed,
} from './client/contract/task.ts';
export { type Duration, durationMs } from './client/duration.ts';
export {
  type AbortKind,
  AttemptAborted,
  type Code,
  FatalError,
  HoldfastError,
  type Reason,
  RetryAfter,
  Snooze,
  TaskFailedError,
  type Violation,
} from './client/errors.ts';
export type { Logger } from './client/log.ts';
export type { Submit } from './client/submit/submit-call.ts';
export type { SubmitOptions } from './client/submit/submit-options.ts';
export type { EndReason, EventType, State, TaskEvent, TaskStatus } from './client/tasks/status.ts';
export type { SubmittedTask, TaskHandle } from './client/tasks/task-handle.ts';
export type { Transport } from './client/transport.ts';
export type { Running } from './client/worker/running.ts';
export { connect } from './node/connect.ts';
