/** Waits until tasks end, by streams of their events. */
import { setTimeout as sleep } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import type { Transport } from '../../../client/transport.ts';
import { asHoldfastError, HoldfastError } from '../../../core/errors.ts';
import { forTenant } from '../../../core/explain/words.ts';
import { limits } from '../../../core/limits.ts';
import { deadReasons } from '../../../core/task/event.ts';
import { type Task, TaskState, TaskView } from '../../../rpc/gen/holdfast/v1/task_pb.ts';
import { TaskService, WatchTasksRequestSchema } from '../../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { stateName } from '../../text/task-text.ts';

const endStates: ReadonlySet<TaskState> = new Set([TaskState.SUCCEEDED, TaskState.DEAD, TaskState.CANCELLED]);
/** The time between two streams, if one ends before its tasks. */
const retryMs = 100;

export function hasEnded({ state }: Task): boolean {
  return endStates.has(state);
}

/** A task that has ended, or the error for which it is not known how it ends. */
export interface EndedTask {
  readonly id: string;
  readonly task?: Task;
  readonly error?: HoldfastError;
}

/** The tasks to wait for, and the signal that gives them up. */
export interface Wait {
  readonly ids: readonly string[];
  readonly tenant: string;
  readonly signal: AbortSignal;
}

/** Waits for each task, and calls `onEnd` for each that ends, in the order of the ends. Returns once all have ended. */
export async function waitForEnds(
  transport: Transport,
  { ids, tenant, signal }: Wait,
  onEnd: (ended: EndedTask) => void,
): Promise<void> {
  const waiting = new Set(ids);
  const settle = (ended: EndedTask): void => {
    if (waiting.delete(ended.id)) onEnd(ended);
  };
  while (waiting.size > 0 && !signal.aborted) {
    const watched = [...waiting].slice(0, limits.watchedTasks);
    const request = create(WatchTasksRequestSchema, { tasks: watched.map((id) => ({ id })), tenant });
    for await (const { id, update, error } of transport.watch(request, { signal })) {
      if (error !== undefined) settle({ id, error: missing(id, error.message) });
      const event = update?.update.case === 'event' ? update.update.value : undefined;
      if (event !== undefined && endStates.has(event.state)) settle(await endOf(transport, id, tenant));
    }
    for (const id of watched) {
      if (!waiting.has(id)) continue;
      const ended = await endOf(transport, id, tenant);
      if (ended.error !== undefined || (ended.task !== undefined && hasEnded(ended.task))) settle(ended);
    }
    if (waiting.size > 0) await sleep(retryMs);
  }
}

function missing(id: string, message: string): HoldfastError {
  return new HoldfastError('NOT_FOUND', 'TASK_NOT_FOUND', message, { taskId: id });
}

async function endOf(transport: Transport, id: string, tenant: string): Promise<EndedTask> {
  try {
    const request = { id, tenant, view: TaskView.RESULT };
    const { task } = await transport.call(TaskService.method.getTask, request, {});
    return { id, ...(task && { task }) };
  } catch (thrown) {
    return { id, error: asHoldfastError(thrown) };
  }
}

/** Waits for one task. @throws HoldfastError if it does not exist. */
export async function waitForEnd(
  transport: Transport,
  id: string,
  tenant: string,
  signal: AbortSignal,
): Promise<Task> {
  let ended: EndedTask | undefined;
  await waitForEnds(transport, { ids: [id], tenant, signal }, (one) => {
    ended = one;
  });
  if (ended?.task !== undefined) return ended.task;
  throw ended?.error ?? missing(id, `The task ${id} was not waited for.`);
}

/** Returns the error of a task that has died or was cancelled. */
export function endError(task: Task, tenant: string): HoldfastError {
  const state = stateName(task.state);
  const why = task.lastError === '' ? '' : `: ${task.lastError}`;
  const known = deadReasons[task.deadReason];
  const reason = known === undefined ? '' : ` (reason: ${known})`;
  return new HoldfastError(
    'FAILED_PRECONDITION',
    state === 'dead' ? 'TASK_DEAD' : 'TASK_CANCELLED',
    `The task ended as ${state}${reason}${why}`,
    { taskId: task.id, help: `See why: ${forTenant(`holdfast why ${task.id}`, tenant)}` },
  );
}
