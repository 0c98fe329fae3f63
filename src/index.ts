/**
 * The Holdfast SDK: define task types, submit tasks, follow them, and run workers.
 *
 * A program usually needs `defineTask`, `connect` and `client.submit` on the submitting side, and `handle`,
 * `defineWorker` and `client.work` on the worker's side.
 */

export type {
  OnDeadRule,
  PauseOptions,
  QueueCounts,
  QueuePause,
  QueueSettings,
  QueueStatus,
  Queues,
} from './client/admin/queues.ts';
export type { Redriven, RedriveOptions } from './client/admin/redrive.ts';
export type { WorkerInfo, WorkerList, Workers } from './client/admin/workers.ts';
export type { Client, ListOptions, SubmitOutcome, TaskPage } from './client/client.ts';
export type { ClientTls, Connect, ConnectOptions } from './client/connect.ts';
export type { AttemptContext } from './client/context.ts';
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
export type { JsonInput, NotJson } from './client/contract/json-leaves.ts';
export {
  defineTask,
  type InputOf,
  type ResultOf,
  type Retry,
  type TaskContract,
  type TaskOptions,
  type TaskType,
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
export type { Explanation, Trouble, TroubleGroup, VerdictCode } from './client/tasks/explanation.ts';
export type { DeadReason, EventType, State, TaskEvent, TaskStatus } from './client/tasks/status.ts';
export type { SubmittedTask, TaskHandle } from './client/tasks/task-handle.ts';
export type { DrainReport, RunningWorker } from './client/worker/running.ts';
export type { Priority } from './core/priority.ts';
export { connect } from './node/connect.ts';
