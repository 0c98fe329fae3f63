import type { Command } from '@commander-js/extra-typings';
import { Option } from '@commander-js/extra-typings';
import { type ListRequest, listTasks } from '../../../client/tasks/list-tasks.ts';
import type { Transport } from '../../../client/transport.ts';
import { asHoldfastError, type HoldfastError } from '../../../core/errors.ts';
import { limits } from '../../../core/limits.ts';
import { stateNumbers } from '../../../core/wire-numbers.ts';
import { AdminService } from '../../../rpc/gen/holdfast/v1/admin_service_pb.ts';
import { TaskService } from '../../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { withServer } from '../../connection/connect.ts';
import type { Globals } from '../../globals.ts';
import { listNotes, listText } from '../../text/list-text.ts';
import { acceptanceTime, wholeNumber } from '../../text/numbers.ts';
import { taskJson } from '../../text/task-text.ts';

const stateNames = [...Object.keys(stateNumbers), 'retrying'] as const;

/** Returns the error QUEUE_UNKNOWN if the queue does not exist, or undefined if it exists or the caller may not know it. */
async function unknownQueue(
  transport: Transport,
  tenant: string,
  name: string,
): Promise<HoldfastError | undefined> {
  try {
    await transport.call(AdminService.method.getQueue, { tenant, name }, {});
  } catch (thrown) {
    const error = asHoldfastError(thrown);
    if (error.reason === 'QUEUE_UNKNOWN') return error;
  }
  return undefined;
}

export function addList(program: Command, globals: Globals): void {
  program
    .command('list')
    .description('list the tasks of a queue, newest first')
    .option('--queue <name>', 'the queue', 'default')
    .option('--tenant <name>', 'the tenant; default: your own', '')
    .addOption(new Option('--state <state>', 'only tasks in this state').choices(stateNames))
    .option('--type <type>', 'only tasks of this type')
    .option('--tag <tag>', 'only tasks with this tag')
    .option('--lane <ordering key>', 'only unfinished tasks with this ordering key, in their order')
    .option('--accepted-from <time>', 'only tasks accepted at this time or later', acceptanceTime)
    .option('--accepted-until <time>', 'only tasks accepted before this time', acceptanceTime)
    .option('--limit <n>', 'tasks of a page, 1 to 100', wholeNumber(1, limits.pageItems), 20)
    .option('--page-token <token>', 'the token that the previous page printed')
    .addHelpText(
      'after',
      `\nIf few tasks match, up to ${limits.listExamined.toLocaleString('en')} tasks of the queue are examined; the output says so if there are more.`,
    )
    .action(async (options, command) => {
      const { server, output } = globals();
      await withServer(server, async (transport) => {
        const { state } = options;
        const request: ListRequest = {
          tenant: options.tenant,
          queue: options.queue,
          state:
            state === undefined || state === 'retrying'
              ? 0
              : stateNumbers[state as keyof typeof stateNumbers],
          retrying: state === 'retrying',
          type: options.type ?? '',
          tag: options.tag ?? '',
          orderingKey: options.lane ?? '',
          acceptedFromMs: BigInt(options.acceptedFrom ?? 0),
          acceptedUntilMs: BigInt(options.acceptedUntil ?? 0),
          pageSize: options.limit,
          pageToken: options.pageToken ?? '',
        };
        const listed = await listTasks(request, (page) =>
          transport.call(TaskService.method.listTasks, page, {}),
        );
        const { tasks } = listed;
        const isEmpty = tasks.length === 0 && listed.examined === 0;
        const error = isEmpty ? await unknownQueue(transport, options.tenant, options.queue) : undefined;
        // The default queue of a new server does not exist yet, and nobody has mistyped its name.
        if (error !== undefined && command.getOptionValueSource('queue') === 'cli') throw error;
        output.result({ ...listed, tasks: tasks.map(taskJson) }, () => listText(listed, options.lane));
        for (const note of listNotes(listed, options.lane)) output.note(note);
        if (error !== undefined && !output.json)
          output.note(`${error.message} ${error.help ?? ''}`.trimEnd());
      });
    });
}
