import { type Command, Option } from '@commander-js/extra-typings';
import { listAllQueues } from '../../../client/tasks/list-all-queues.ts';
import { type ListRequest, listTasks } from '../../../client/tasks/list-tasks.ts';
import type { Transport } from '../../../client/transport.ts';
import { limits } from '../../../core/limits.ts';
import { stateNumbers } from '../../../core/wire-numbers.ts';
import { AdminService } from '../../../rpc/gen/holdfast/v1/admin_service_pb.ts';
import type { Task } from '../../../rpc/gen/holdfast/v1/task_pb.ts';
import { TaskService } from '../../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { ensureQueueExists, type Interruption, withServer } from '../../connection/connect.ts';
import { usage } from '../../exit-codes.ts';
import type { Globals } from '../../globals.ts';
import type { Output } from '../../output.ts';
import { allQueuesNotes, listCells, listNotes, listText, tasksText } from '../../text/list-text.ts';
import { acceptanceTime, wholeNumber } from '../../text/numbers.ts';
import { taskJson } from '../../text/task-text.ts';
import { ListFollower, untilNextLook } from './follow.ts';

const stateNames = [...Object.keys(stateNumbers), 'retrying'] as const;

/** The flags that select the tasks of a list. */
export interface ListFlags {
  readonly queue?: string | undefined;
  readonly tenant: string;
  readonly state?: string | undefined;
  readonly type?: string | undefined;
  readonly tag?: string | undefined;
  readonly lane?: string | undefined;
  readonly acceptedFrom?: number | undefined;
  readonly acceptedUntil?: number | undefined;
  readonly limit: number;
  readonly pageToken?: string | undefined;
}

/** Returns the request for the tasks of one queue. */
export function listRequest(flags: ListFlags, queue: string): ListRequest {
  const { tenant, state, type = '', tag = '', lane: orderingKey = '', pageToken = '' } = flags;
  const isRetrying = state === 'retrying';
  return {
    ...{ tenant, queue, type, tag, orderingKey, pageToken },
    state: state === undefined || isRetrying ? 0 : stateNumbers[state as keyof typeof stateNumbers],
    retrying: isRetrying,
    acceptedFromMs: BigInt(flags.acceptedFrom ?? 0),
    acceptedUntilMs: BigInt(flags.acceptedUntil ?? 0),
    pageSize: flags.limit,
  };
}

/** Returns the queue that the flags name, or all queues of the tenant, without reading their tasks. */
export async function queuesOf(
  transport: Transport,
  { queue, tenant }: Pick<ListFlags, 'queue' | 'tenant'>,
): Promise<string[]> {
  if (queue !== undefined) return [queue];
  const request = { tenant, withoutCounts: true };
  const { queues } = await transport.call(AdminService.method.listQueues, request, {});
  return queues.map(({ name }) => name);
}

function listCall(transport: Transport) {
  return (page: ListRequest) => transport.call(TaskService.method.listTasks, page, {});
}

async function listOne(transport: Transport, output: Output, flags: ListFlags, queue: string): Promise<void> {
  const listed = await listTasks(listRequest(flags, queue), listCall(transport));
  const { tasks } = listed;
  if (tasks.length === 0 && listed.examined === 0) await ensureQueueExists(transport, flags.tenant, queue);
  output.result({ ...listed, tasks: tasks.map(taskJson) }, () => listText(listed, flags.lane, Date.now()));
  for (const note of listNotes(listed, flags.lane)) output.note(note);
}

/** Lists the newest tasks of all queues. */
export async function newestOfAll(transport: Transport, flags: ListFlags) {
  const queues = await queuesOf(transport, flags);
  const { queue: _, ...request } = listRequest(flags, '');
  return { queues, listed: await listAllQueues(request, queues, listCall(transport)) };
}

async function listAll(transport: Transport, output: Output, flags: ListFlags): Promise<void> {
  const { queues, listed } = await newestOfAll(transport, flags);
  output.result({ ...listed, tasks: listed.tasks.map(taskJson), nextPageToken: '' }, () =>
    tasksText(listed.tasks, Date.now(), true),
  );
  if (queues.length === 0) output.note('There is no queue yet: the first submission creates one.');
  for (const note of allQueuesNotes(listed)) output.note(note);
}

async function follow(
  transport: Transport,
  output: Output,
  flags: ListFlags,
  interruption: Interruption,
): Promise<void> {
  interruption.endsInOrder = true;
  const follower = new ListFollower(listCall(transport));
  if (flags.queue !== undefined) await ensureQueueExists(transport, flags.tenant, flags.queue);
  const line = (task: Task): void =>
    output.line(taskJson(task), () => [task.queue, ...listCells(task, Date.now())].join('  ').trimEnd());
  do {
    const queues = (await queuesOf(transport, flags)).slice(0, limits.listedQueues);
    const tasks = await follower.unseen(queues.map((queue) => listRequest(flags, queue)));
    for (const task of tasks) line(task);
  } while (await untilNextLook(interruption.signal));
}

/** Refuses flags that go with the list of one queue alone, or with a list that ends. */
function refuseUnclear(flags: ListFlags & { readonly follow?: boolean | undefined }): void {
  const { queue, lane, pageToken, follow: follows } = flags;
  if (queue === undefined && pageToken !== undefined)
    throw usage(
      '--page-token is of the list of one queue.',
      'Give --queue too, as in the command that printed it.',
    );
  if (queue === undefined && lane !== undefined)
    throw usage('--lane names an ordering key of one queue.', 'Give --queue too.');
  if (follows === true && (pageToken !== undefined || lane !== undefined))
    throw usage('--follow shows the newest tasks.', 'Leave --page-token and --lane out.');
}

export function stateOption() {
  return new Option('--state <state>', 'only tasks in this state').choices(stateNames);
}

export function addList(program: Command, globals: Globals): void {
  program
    .command('list')
    .description('list tasks, newest first: of one queue, or the newest of all queues')
    .option('--queue <name>', 'the queue; default: all queues')
    .option('--tenant <name>', 'the tenant; default: your own', '')
    .addOption(stateOption())
    .option('--type <type>', 'only tasks of this type')
    .option('--tag <tag>', 'only tasks with this tag')
    .option('--lane <ordering key>', 'only unfinished tasks with this ordering key, in their order')
    .option('--accepted-from <time>', 'only tasks accepted at this time or later', acceptanceTime)
    .option('--accepted-until <time>', 'only tasks accepted before this time', acceptanceTime)
    .option('--limit <n>', 'tasks of a page, 1 to 100', wholeNumber(1, limits.pageItems), 20)
    .option('--page-token <token>', 'the token that the previous page printed')
    .option('--follow', 'go on, and print each task that comes into the list, until Ctrl-C')
    .addHelpText(
      'after',
      `\nIf few tasks match, up to ${limits.listExamined.toLocaleString('en')} tasks of the queue are examined; the output says so if there are more.\nWithout --queue at most ${limits.pageExamined.toLocaleString('en')} tasks of each of ${limits.listedQueues} queues are examined.`,
    )
    .action(async (flags) => {
      const { server, output } = globals();
      refuseUnclear(flags);
      await withServer(server, (transport, interruption) => {
        if (flags.follow) return follow(transport, output, flags, interruption);
        if (flags.queue === undefined) return listAll(transport, output, flags);
        return listOne(transport, output, flags, flags.queue);
      });
    });
}
