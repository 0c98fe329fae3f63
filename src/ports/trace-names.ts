/**
 * The names of spans and of their attributes. Those that OpenTelemetry defines are of its semantic conventions 1.45.0, whose
 * part on messaging is still in development: the version is pinned, and moves only together with these names.
 */
import type { ShownState } from '../core/task/head.ts';

export const conventions = 'https://opentelemetry.io/schemas/1.45.0';

/** The operations of a task that have a span, each with its type of the messaging conventions. */
export const operations = {
  /** A client submits a task. */
  submit: 'send',
  /** A server sends the dispatch message of a task. */
  dispatch: 'send',
  /** A server gives a task to a worker. */
  claim: 'receive',
  /** A worker runs one attempt of a task. */
  process: 'process',
  /** A worker reports the end of an attempt, and a server records it. */
  settle: 'settle',
} as const;
export type Operation = keyof typeof operations;

/** The names of the spans that are no operation of the messaging conventions. */
export const spanNames = {
  submitCall: 'holdfast.v1.TaskService/SubmitTasks',
  settleCall: 'holdfast.v1.WorkerService/Report',
  commit: 'store commit',
} as const;

/** The attributes of a span. An attribute that is undefined is left out. */
export interface Attributes {
  readonly 'messaging.system'?: 'holdfast';
  readonly 'messaging.operation.name'?: Operation;
  readonly 'messaging.operation.type'?: (typeof operations)[Operation];
  readonly 'messaging.destination.name'?: string;
  readonly 'messaging.message.id'?: string | undefined;
  readonly 'rpc.system.name'?: string;
  readonly 'rpc.method'?: string;
  readonly 'error.type'?: string;
  readonly 'holdfast.task.id'?: string | undefined;
  readonly 'holdfast.task.type'?: string | undefined;
  /** The number of the attempt, from 1. */
  readonly 'holdfast.attempt'?: number;
  /** How the attempt ended: `succeeded`, `failed`, `fatal`, `snoozed`, `released`, `cancelled`, `lost` or `lease_lost`. */
  readonly 'holdfast.outcome'?: string;
  /** The state of the task after the operation. */
  readonly 'holdfast.state'?: ShownState;
  /** True if the submission was the duplicate of an earlier one. */
  readonly 'holdfast.deduplicated'?: boolean;
  /** The time from the task's readiness to its claim, in ms. */
  readonly 'holdfast.queue_time_ms'?: number | undefined;
  readonly 'holdfast.worker'?: string;
  /** Why a dispatch message was sent. */
  readonly 'holdfast.dispatch.reason'?: string;
  /** The number of tasks of the batch that the operation was part of. */
  readonly 'messaging.batch.message_count'?: number;
}

/** Returns the name of the span of an operation, `{operation} {queue}`. */
export function spanName(operation: Operation, queue: string): string {
  return `${operation} ${queue}`;
}

/** Returns the attributes that every span of an operation on a task has. */
export function taskAttributes(operation: Operation, queue: string, id?: string, type?: string): Attributes {
  return {
    'messaging.system': 'holdfast',
    'messaging.operation.name': operation,
    'messaging.operation.type': operations[operation],
    'messaging.destination.name': queue,
    'messaging.message.id': id,
    'holdfast.task.id': id,
    'holdfast.task.type': type,
  };
}
