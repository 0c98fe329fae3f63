/** Converts protobuf tasks and events to the objects that the SDK returns. */

import {
  type Begun,
  begunWords,
  type DeadReason,
  deadReasons,
  type EventKind,
  eventKinds,
} from '../../core/task/event.ts';
import { priorityNumbers, stateNumbers, wordOf } from '../../core/wire-numbers.ts';
import type {
  Payload,
  TaskState,
  TaskEvent as WireEvent,
  Task as WireTask,
} from '../../rpc/gen/holdfast/v1/task_pb.ts';
import type { VersionedEvent } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { fromPayload } from '../contract/json.ts';

/**
 * The state of a task. `scheduled`: waits for its scheduled start time or its next attempt. `ready`: waits for a
 * worker. `reserved`: a worker has fetched the task and has not called its handler yet. `running`: the handler was
 * called. `succeeded`, `dead` and `cancelled` are the three final states.
 */
export type State = 'scheduled' | 'ready' | 'reserved' | 'running' | 'succeeded' | 'dead' | 'cancelled';

export type { DeadReason };

/** The status of a task at the time of the read. A time or text that the task does not have is undefined. */
export interface TaskStatus {
  /** The id of the task. */
  readonly id: string;
  /** The name of the task type. */
  readonly type: string;
  /** The tenant that the task belongs to. */
  readonly tenant: string;
  /** The queue of the task. */
  readonly queue: string;
  /** The idempotency key of the task. */
  readonly idempotencyKey: string;
  /** The ordering key, if the task has one. */
  readonly orderingKey: string | undefined;
  /** The current state of the task. */
  readonly state: State;
  /** The number of the task's events so far. It rises with every change of the task. */
  readonly version: number;
  /**
   * The number of attempts that were started. A redrive sets it back to 0; a snooze, a release and an attempt that was
   * lost with its worker do not count.
   */
  readonly attempt: number;
  /** The largest number of attempts; after the last one fails, the task is dead. */
  readonly maxAttempts: number;
  /**
   * The number of workers that were lost while they ran the task, since its submission or its last redrive. From 2 on
   * the task runs alone in its worker; after `maxLosses` of its task type it is dead.
   */
  readonly losses: number;
  /** The priority of the task in its queue. */
  readonly priority: 'high' | 'normal' | 'low';
  /** The tags of the task. */
  readonly tags: readonly string[];
  /** The id of the task whose handler submitted this one. */
  readonly parentId: string | undefined;
  /** The time at which the task was accepted. */
  readonly acceptedAt: Date;
  /** The earliest time of the next attempt, while the task is scheduled. */
  readonly runAt: Date | undefined;
  /** The time at which the task ended. */
  readonly endedAt: Date | undefined;
  /** The time after which the task and its events are deleted. */
  readonly expiresAt: Date;
  /** The time at which the lease of the current attempt ends unless a heartbeat renews it. */
  readonly leaseEndAt: Date | undefined;
  /** The name of the worker that runs the task, or that ran its last attempt if the task has ended. */
  readonly worker: string | undefined;
  /** The last progress that the handler reported: a fraction from 0 to 1, and a note. */
  readonly progress: { readonly fraction: number; readonly note: string } | undefined;
  /** The reason why the task is dead. */
  readonly deadReason: DeadReason | undefined;
  /** The message of the last error that a worker reported. */
  readonly lastError: string | undefined;
  /** True if cancellation was requested while an attempt was running. */
  readonly cancelRequested: boolean;
  /** The id of the earlier task with the same ordering key that must end before this one can run. */
  readonly blockedByTaskId: string | undefined;
  /** The fencing token of the last claim; 0 before the first one. */
  readonly fencingToken: number;
  /**
   * The input as it was submitted; undefined in lists. If another client submitted an input that is not JSON, this is a
   * Uint8Array of its bytes.
   */
  readonly input: unknown;
  /**
   * The value that the handler returned, once the task has succeeded; undefined in lists. A result that is not JSON
   * is a Uint8Array of its bytes.
   */
  readonly result: unknown;
}

/** One recorded change of a task. Events are never changed. */
export interface TaskEvent {
  /** The position of the event in the task's history, from 1. `events({ after: version })` continues behind it. */
  readonly version: number;
  /** The kind of event. It is `unknown` if a newer server sends a kind that this SDK does not know. */
  readonly kind: EventType;
  /** The time of the event. */
  readonly at: Date;
  /** The state of the task after the event. */
  readonly state: State;
  /** The number of the attempt that the event belongs to. */
  readonly attempt: number | undefined;
  /** The name of the worker that claimed the task. */
  readonly worker: string | undefined;
  /**
   * For `leaseExpired`: whether the handler had been called, whether the task ran alone in its worker, and whether the
   * expiry counts as a loss of the worker.
   */
  readonly loss:
    | { readonly begun: Begun; readonly alone: boolean; readonly countsAsLoss: boolean }
    | undefined;
  /** The time of the next attempt. */
  readonly runAt: Date | undefined;
  /** The reason why the task died. */
  readonly deadReason: DeadReason | undefined;
  /** The message of the error, or the reason that was given for a cancellation. */
  readonly message: string | undefined;
  /** The name of the error, for example `TypeError`. */
  readonly errorType: string | undefined;
  /** The identity that cancelled or redrove the task. */
  readonly actor: string | undefined;
}

/** The kinds of task events, for example `submitted`, `claimed`, `failed` and `succeeded`. */
export type EventType = EventKind;

const timeOf = (ms: bigint): Date | undefined => (ms === 0n ? undefined : new Date(Number(ms)));
const textOf = (text: string): string | undefined => (text === '' ? undefined : text);

/** Returns the state of a task for its number in the protobuf schema; `ready` if this SDK does not know the number. */
export function stateOf(number: TaskState): State {
  return wordOf(stateNumbers, number) ?? 'ready';
}

/** Returns true for the states in which a task has ended. */
export function isEnd(state: State): state is 'succeeded' | 'dead' | 'cancelled' {
  return state === 'succeeded' || state === 'dead' || state === 'cancelled';
}

/** Converts a protobuf task to a TaskStatus. */
export function statusOf(task: WireTask): TaskStatus {
  const { options, spec, progress } = task;
  return {
    id: task.id,
    type: spec?.type ?? '',
    tenant: task.tenant,
    queue: task.queue,
    idempotencyKey: task.idempotencyKey,
    orderingKey: textOf(spec?.orderingKey ?? ''),
    state: stateOf(task.state),
    version: task.version,
    attempt: task.attempt,
    maxAttempts: task.maxAttempts,
    losses: task.losses,
    priority: wordOf(priorityNumbers, options?.priority ?? 0) ?? 'normal',
    tags: options?.tags ?? [],
    parentId: textOf(options?.parentId ?? ''),
    acceptedAt: new Date(Number(task.acceptedAtMs)),
    runAt: timeOf(task.runAtMs),
    endedAt: timeOf(task.endedAtMs),
    expiresAt: new Date(Number(task.expiresAtMs)),
    leaseEndAt: timeOf(task.leaseEndAtMs),
    worker: textOf(task.worker),
    progress: progress === undefined ? undefined : { fraction: progress.fraction, note: progress.note },
    deadReason: deadReasons[task.deadReason],
    lastError: textOf(task.lastError),
    cancelRequested: task.cancelRequested,
    blockedByTaskId: textOf(task.blockedByTaskId),
    fencingToken: Number(task.fencingToken),
    input: contentOf(spec?.payload),
    result: contentOf(task.result),
  };
}

/** Decodes a payload. Returns its bytes if it is not JSON, so that the status of such a task can still be read. */
function contentOf(payload: Payload | undefined): unknown {
  if (payload === undefined) return undefined;
  try {
    return fromPayload(payload);
  } catch {
    return payload.bytes;
  }
}

function lossOf({ begun, alone = false, countsAsLoss = false }: Partial<WireEvent>): TaskEvent['loss'] {
  const word = begunWords[begun ?? 0];
  return word === undefined ? undefined : { begun: word, alone, countsAsLoss };
}

/** Converts a protobuf event to a TaskEvent. */
export function eventOf({ version, event, state }: VersionedEvent): TaskEvent {
  const recorded: Partial<WireEvent> = event ?? {};
  return {
    version,
    kind: eventKinds[recorded.kind ?? 0] ?? 'unknown',
    at: new Date(Number(recorded.atMs ?? 0n)),
    state: stateOf(state),
    attempt: recorded.attempt || undefined,
    worker: textOf(recorded.worker ?? ''),
    loss: lossOf(recorded),
    runAt: timeOf(recorded.runAtMs ?? 0n),
    deadReason: deadReasons[recorded.deadReason ?? 0],
    message: textOf(recorded.message ?? ''),
    errorType: textOf(recorded.errorType ?? ''),
    actor: textOf(recorded.actor ?? ''),
  };
}
