import type { ListedQueues } from '../../client/tasks/list-all-queues.ts';
import type { ListedTasks } from '../../client/tasks/list-tasks.ts';
import type { Task } from '../../rpc/gen/holdfast/v1/task_pb.ts';
import { table, time } from '../output.ts';
import { stateName } from './task-text.ts';

/** Says how many tasks were examined, up to which one. `lane` is the ordering key of a lane's list. */
function examinedText({ examined, examinedUntilMs }: ListedTasks, lane: string | undefined): string {
  const tasks = `${examined.toLocaleString('en')} tasks`;
  if (lane !== undefined) return `${tasks} of the lane`;
  return examinedUntilMs === undefined ? tasks : `${tasks} accepted at ${time(examinedUntilMs)} or later`;
}

/**
 * Formats the tasks of a list as a table. If no task was found among those that were examined and there are more, a
 * sentence says so, since an empty table would say that there is none.
 */
export function listText(listed: ListedTasks, lane: string | undefined, nowMs: number): string {
  if (listed.isCut && listed.tasks.length === 0) {
    const others = lane === undefined ? 'Older tasks' : 'The tasks behind them';
    return `No such task among ${examinedText(listed, lane)}. ${others} were not examined.`;
  }
  return tasksText(listed.tasks, nowMs);
}

/** The longest part of a key and of an error that a row shows, in characters. */
const shownChars = { key: 40, error: 60 } as const;

/** The columns of a list of tasks. A list of one queue has no column for it. */
export const listColumns = ['ID', 'STATE', 'TYPE', 'KEY', 'AGE', 'ATTEMPT', 'LAST ERROR'] as const;

/** Returns the cells of a task, in the order of `listColumns`. */
export function listCells(task: Task, nowMs: number): string[] {
  return [
    task.id,
    stateName(task.state),
    task.spec?.type ?? '',
    task.idempotencyKey.slice(0, shownChars.key),
    ageText(nowMs - Number(task.acceptedAtMs)),
    `${task.attempt}/${task.maxAttempts}`,
    task.lastError.split('\n')[0]?.slice(0, shownChars.error) ?? '',
  ];
}

/** Formats tasks as a table, with their queues if they may have several. */
export function tasksText(tasks: readonly Task[], nowMs: number, ofAllQueues = false): string {
  if (!ofAllQueues)
    return table(
      listColumns,
      tasks.map((task) => listCells(task, nowMs)),
    );
  return table(
    ['QUEUE', ...listColumns],
    tasks.map((task) => [task.queue, ...listCells(task, nowMs)]),
  );
}

/** Formats the time since the acceptance of a task in its largest unit, such as `4s`, `12m`, `3h` or `9d`. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** Returns the notes below a list of all queues: the queues that have more tasks. */
export function allQueuesNotes({ cutQueues }: ListedQueues): string[] {
  if (cutQueues.length === 0) return [];
  const [first = ''] = cutQueues;
  const named = cutQueues.slice(0, 8).join(', ');
  const more = cutQueues.length > 8 ? ` and ${cutQueues.length - 8} more queues` : '';
  return [`There are older tasks in ${named}${more}: holdfast list --queue ${first}`];
}

/** Returns the notes below a list: how far it looked if it does not say that already, and how to go on. */
export function listNotes(listed: ListedTasks, lane: string | undefined): string[] {
  const { tasks, nextPageToken, isCut } = listed;
  if (nextPageToken === '') return [];
  const more = `more: --page-token ${nextPageToken}`;
  if (!isCut) return [more];
  const looked = `Only ${examinedText(listed, lane)} were examined.`;
  const goOn =
    lane === undefined
      ? 'Go on with that token, or choose a time span with --accepted-from and --accepted-until.'
      : 'Go on with that token.';
  return [...(tasks.length === 0 ? [] : [looked]), more, goOn];
}
