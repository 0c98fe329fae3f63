/** Tasks and events as readers of the SDK see them. */
import { type DeadReason, deadReasons, type EventKind, eventKinds } from '../../core/task/event.ts';
import {
  type Payload,
  Priority,
  TaskState,
  type TaskEvent as WireEvent,
  type Task as WireTask,
} from '../../rpc/gen/holdfast/v1/task_pb.ts';
import type { VersionedEvent } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { fromPayload } from '../contract/json.ts';

export type State = 'scheduled' | 'ready' | 'running' | 'succeeded' | 'dead' | 'cancelled';
export type EndReason = DeadReason;

/** Where a task stands. Absent times and texts are undefined. */
export interface TaskStatus {
  readonly id: string;
  readonly type: string;
  readonly tenant: string;
  readonly queue: string;
  readonly idempotencyKey: string;
  readonly orderingKey: string | undefined;
  readonly state: State;
  /** Number of events. */
  readonly version: number;
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly priority: 'high' | 'normal' | 'low';
  readonly tags: readonly string[];
  readonly parentId: string | undefined;
  readonly acceptedAt: Date;
  readonly runAt: Date | undefined;
  readonly endedAt: Date | undefined;
  /** Everything of the task is gone after this. */
  readonly expiresAt: Date;
  readonly leaseEndAt: Date | undefined;
  readonly worker: string | undefined;
  readonly progress: { readonly fraction: number; readonly note: string } | undefined;
  readonly deadReason: EndReason | undefined;
  readonly lastError: string | undefined;
  readonly cancelRequested: boolean;
  /** The task that this one's lane waits for. */
  readonly waitingFor: string | undefined;
  readonly fencingToken: number;
  /** As submitted; only where it was asked for. What is no JSON (another client sent it) is given as its bytes. */
  readonly input: unknown;
  /** Succeeded: what the handler returned; only where it was asked for. Likewise. */
  readonly result: unknown;
}

/** One change of a task; never changed again. */
export interface TaskEvent {
  /** Its place, from 1; give it to `events({ after })` to go on from here. */
  readonly version: number;
  /** A kind that this version of the SDK does not know is `unknown`. */
  readonly type: EventType;
  readonly at: Date;
  /** The state after it. */
  readonly state: State;
  readonly attempt: number | undefined;
  readonly worker: string | undefined;
  readonly runAt: Date | undefined;
  readonly reason: EndReason | undefined;
  readonly message: string | undefined;
  readonly errorType: string | undefined;
  readonly actor: string | undefined;
}

export type EventType = EventKind;

export const stateNumbers = {
  scheduled: TaskState.SCHEDULED,
  ready: TaskState.READY,
  running: TaskState.RUNNING,
  succeeded: TaskState.SUCCEEDED,
  dead: TaskState.DEAD,
  cancelled: TaskState.CANCELLED,
} as const;
const priorityNumbers = { high: Priority.HIGH, normal: Priority.NORMAL, low: Priority.LOW } as const;

function wordOf<W extends string>(numbers: Readonly<Record<W, number>>, number: number): W | undefined {
  for (const word in numbers) if (numbers[word] === number) return word;
  return undefined;
}

const timeOf = (ms: bigint): Date | undefined => (ms === 0n ? undefined : new Date(Number(ms)));
const textOf = (text: string): string | undefined => (text === '' ? undefined : text);

export function stateOf(number: TaskState): State {
  return wordOf(stateNumbers, number) ?? 'ready';
}

export function isEnd(state: State): state is 'succeeded' | 'dead' | 'cancelled' {
  return state === 'succeeded' || state === 'dead' || state === 'cancelled';
}

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
    waitingFor: textOf(task.waitingFor),
    fencingToken: Number(task.fencingToken),
    input: contentOf(spec?.payload),
    result: contentOf(task.result),
  };
}

/** Where a task stands can be told whatever it carries. */
function contentOf(payload: Payload | undefined): unknown {
  if (payload === undefined) return undefined;
  try {
    return fromPayload(payload);
  } catch {
    return payload.bytes;
  }
}

export function eventOf({ version, event, state }: VersionedEvent): TaskEvent {
  const told: Partial<WireEvent> = event ?? {};
  return {
    version,
    type: eventKinds[told.kind ?? 0] ?? 'unknown',
    at: new Date(Number(told.atMs ?? 0n)),
    state: stateOf(state),
    attempt: told.attempt || undefined,
    worker: textOf(told.worker ?? ''),
    runAt: timeOf(told.runAtMs ?? 0n),
    reason: deadReasons[told.deadReason ?? 0],
    message: textOf(told.message ?? ''),
    errorType: textOf(told.errorType ?? ''),
    actor: textOf(told.actor ?? ''),
  };
}
