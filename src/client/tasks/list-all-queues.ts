import { limits } from '../../core/limits.ts';
import type { Task } from '../../rpc/gen/holdfast/v1/task_pb.ts';
import type { ListTasksResponse } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import type { ListRequest } from './list-tasks.ts';

/** The newest tasks of several queues. */
export interface ListedQueues {
  /** The tasks of all queues, newest first. */
  readonly tasks: readonly Task[];
  /** The number of tasks that were examined. */
  readonly examined: number;
  /** The queues that have further tasks behind those that were examined, or that were not read at all. */
  readonly cutQueues: readonly string[];
}

/** The number of queues that are read at once. */
const atOnce = 8;

/**
 * Lists the newest tasks of several queues with one ListTasks call for each, which examines at most `limits.pageExamined`
 * tasks. At most `limits.listedQueues` queues are read; the others are named in `cutQueues`.
 */
export async function listAllQueues(
  request: Omit<ListRequest, 'queue' | 'pageToken'>,
  queues: readonly string[],
  call: (request: ListRequest) => Promise<ListTasksResponse>,
): Promise<ListedQueues> {
  const read = queues.slice(0, limits.listedQueues);
  const cutQueues = queues.slice(limits.listedQueues);
  const tasks: Task[] = [];
  let examined = 0;
  let next = 0;
  const work = async (): Promise<void> => {
    for (let queue = read[next++]; queue !== undefined; queue = read[next++]) {
      const page = await call({ ...request, queue, pageToken: '' });
      tasks.push(...page.tasks);
      examined += page.examined;
      if (page.nextPageToken !== '') cutQueues.push(queue);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, read.length) }, work));
  tasks.sort((a, b) => Number(b.acceptedAtMs - a.acceptedAtMs));
  return { tasks: tasks.slice(0, request.pageSize), examined, cutQueues: cutQueues.sort() };
}
