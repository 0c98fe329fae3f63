import type { KnownKind, TaskEvent } from '../task/event.ts';
import type { ExplainedTask } from './facts.ts';

type EventOf<K extends KnownKind> = Extract<TaskEvent, { kind: K }>;

/** Returns the newest event of a task if it is of this kind. */
export function lastEvent<K extends KnownKind>(
  { tip }: Pick<ExplainedTask, 'tip'>,
  kind: K,
): EventOf<K> | undefined {
  const event = tip.at(-1);
  return event?.kind === kind ? (event as EventOf<K>) : undefined;
}

/** Returns the name of the worker that has the task, or had it last. A task that waits has no worker of its own. */
export function lastWorkerOf(task: ExplainedTask): string {
  return task.head.worker || (newestOf(task, 'claimed')?.worker ?? '');
}

/** Returns the newest event of this kind among the newest events of a task. */
export function newestOf<K extends KnownKind>(
  { tip }: Pick<ExplainedTask, 'tip'>,
  kind: K,
): EventOf<K> | undefined {
  return tip.findLast((event): event is EventOf<K> => event.kind === kind);
}
