import type { ListedTasks } from '../../client/tasks/list-tasks.ts';
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
export function listText(listed: ListedTasks, lane: string | undefined): string {
  if (listed.isCut && listed.tasks.length === 0) {
    const others = lane === undefined ? 'Older tasks' : 'The tasks behind them';
    return `No such task among ${examinedText(listed, lane)}. ${others} were not examined.`;
  }
  const rows = listed.tasks.map((task) => [
    task.id,
    stateName(task.state),
    task.spec?.type ?? '',
    `${task.attempt}/${task.maxAttempts}`,
    time(task.acceptedAtMs),
    task.lastError.split('\n')[0]?.slice(0, 60) ?? '',
  ]);
  return table(['ID', 'STATE', 'TYPE', 'ATTEMPT', 'ACCEPTED', 'LAST ERROR'], rows);
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
