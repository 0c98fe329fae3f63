import { limits } from '../../core/limits.ts';
import type { Task } from '../../rpc/gen/holdfast/v1/task_pb.ts';
import type { ListTasksRequest, ListTasksResponse } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';

/** The fields of a ListTasks request. `pageSize` is the number of tasks that the caller wants, at least 1. */
export type ListRequest = Omit<ListTasksRequest, '$typeName' | '$unknown'>;

/** The tasks of a list that one or several ListTasks calls returned, and how far these calls looked. */
export interface ListedTasks {
  readonly tasks: readonly Task[];
  /** The token of the next page; empty at the end of the list. */
  readonly nextPageToken: string;
  /** The number of tasks that were examined for these calls. */
  readonly examined: number;
  /** The acceptance time of the task that was examined last. Undefined if none was, or if an older server answered. */
  readonly examinedUntilMs: number | undefined;
  /**
   * True if `limits.listExamined` tasks were examined before the page was full or the list had ended: tasks that were not
   * examined may belong to the list.
   */
  readonly isCut: boolean;
}

/**
 * Reads one page of a list of tasks. One ListTasks call examines at most `limits.pageExamined` tasks and may therefore
 * find none of the few tasks that match, so this function calls again until the page is full, the list has ended, or
 * `limits.listExamined` tasks were examined.
 */
export async function listTasks(
  request: ListRequest,
  call: (request: ListRequest) => Promise<ListTasksResponse>,
): Promise<ListedTasks> {
  const tasks: Task[] = [];
  let examined = 0;
  let examinedUntilMs: number | undefined;
  for (let pageToken = request.pageToken; ; ) {
    const page = await call({ ...request, pageToken, pageSize: request.pageSize - tasks.length });
    const { nextPageToken } = page;
    tasks.push(...page.tasks);
    examined += page.examined;
    examinedUntilMs = Number(page.examinedUntilMs) || examinedUntilMs;
    const isFull = tasks.length >= request.pageSize;
    // A page that examined no task ends the loop too, since nothing would bound the number of calls.
    const isOver = isFull || examined >= limits.listExamined || page.examined === 0;
    if (nextPageToken === '' || isOver) {
      return { tasks, nextPageToken, examined, examinedUntilMs, isCut: nextPageToken !== '' && !isFull };
    }
    pageToken = nextPageToken;
  }
}
