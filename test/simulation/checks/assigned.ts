import type { CancelCause } from '../../../src/core/messages.ts';
import type { TaskId } from '../../../src/ports/task-store.ts';
import type { ObservedProcess } from './observed-process.ts';

/** An assignment as the process of the worker received it. */
export interface ReceivedAssignment {
  readonly process: ObservedProcess;
  /** The server that assigned the task. */
  readonly node: string;
  /** The deadline of the task on the monotonic clock of the process; Infinity if the task has none. */
  readonly deadlineAtMs: number;
  readonly isAlone: boolean;
  /** True once the worker has reported that it begins. It may call the handler only when the begin is recorded. */
  isReported: boolean;
  /** Why the worker must not begin the task, as soon as a message of a server has said so. */
  recalledFor: CancelCause | undefined;
}

/** The tasks that the processes of workers have received, and those of them that they must not begin any more. */
export class AssignedTasks {
  readonly #received = new Map<string, ReceivedAssignment>();

  received(
    process: ObservedProcess,
    node: string,
    { id, fencingToken, deadlineInMs, alone }: ReceivedTask,
  ): void {
    const key = keyOf(id, fencingToken);
    if (this.#received.has(key)) return;
    const deadlineAtMs =
      deadlineInMs === 0 ? Number.POSITIVE_INFINITY : process.clock.monotonic() + deadlineInMs;
    this.#received.set(key, {
      process,
      node,
      deadlineAtMs,
      isAlone: alone,
      isReported: false,
      recalledFor: undefined,
    });
  }

  reported(id: TaskId, fencingToken: number): void {
    const received = this.#received.get(keyOf(id, fencingToken));
    if (received !== undefined) received.isReported = true;
  }

  recalled(id: TaskId, fencingToken: number, cause: CancelCause): void {
    const received = this.#received.get(keyOf(id, fencingToken));
    if (received !== undefined) received.recalledFor ??= cause;
  }

  get(id: TaskId, fencingToken: number): ReceivedAssignment | undefined {
    return this.#received.get(keyOf(id, fencingToken));
  }
}

interface ReceivedTask {
  readonly id: TaskId;
  readonly fencingToken: number;
  /** The time until the deadline in ms; 0 if the task has none. */
  readonly deadlineInMs: number;
  readonly alone: boolean;
}

function keyOf(id: TaskId, fencingToken: number): string {
  return `${id} ${fencingToken}`;
}
