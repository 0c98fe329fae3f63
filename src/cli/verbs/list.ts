import type { Command } from '@commander-js/extra-typings';
import { Option } from '@commander-js/extra-typings';
import type { Transport } from '../../client/transport.ts';
import { asHoldfastError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { AdminService } from '../../rpc/gen/holdfast/v1/admin_service_pb.ts';
import { TaskState } from '../../rpc/gen/holdfast/v1/task_pb.ts';
import { TaskService } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { reach } from '../connect.ts';
import type { Globals } from '../globals.ts';
import { table, time } from '../output.ts';
import { whole } from '../text/numbers.ts';
import { stateName, taskJson } from '../text/task-text.ts';

const states = {
  scheduled: TaskState.SCHEDULED,
  ready: TaskState.READY,
  running: TaskState.RUNNING,
  succeeded: TaskState.SUCCEEDED,
  dead: TaskState.DEAD,
  cancelled: TaskState.CANCELLED,
} as const;
const stateNames = [...Object.keys(states), 'retrying'] as const;

/** What an empty list may come from. Undefined: the queue is there. */
async function unknownQueue(transport: Transport, tenant: string, name: string): Promise<string | undefined> {
  try {
    await transport.call(AdminService.method.getQueue, { tenant, name }, {});
  } catch (thrown) {
    const { reason, message, help } = asHoldfastError(thrown);
    if (reason === 'QUEUE_UNKNOWN') return `${message} ${help ?? ''}`.trimEnd();
  }
  return undefined;
}

export function addList(program: Command, globals: Globals): void {
  program
    .command('list')
    .description('list the tasks of a queue, newest first')
    .option('--queue <name>', 'the queue', 'default')
    .option('--tenant <name>', 'another tenant than your own', '')
    .addOption(new Option('--state <state>', 'only tasks in this state').choices(stateNames))
    .option('--type <type>', 'only tasks of this type')
    .option('--tag <tag>', 'only tasks with this tag')
    .option('--lane <ordering key>', 'unfinished tasks of this lane, in their order')
    .option('--limit <n>', 'tasks a page, 1 to 100', whole(1, limits.pageItems), 20)
    .option('--cursor <cursor>', 'go on from where the last page ended')
    .action(async (options) => {
      const { url, output } = globals();
      await reach({ url }, async (transport) => {
        const { state } = options;
        const page = await transport.call(
          TaskService.method.listTasks,
          {
            tenant: options.tenant,
            queue: options.queue,
            state:
              state === undefined || state === 'retrying'
                ? TaskState.UNSPECIFIED
                : states[state as keyof typeof states],
            retrying: state === 'retrying',
            type: options.type ?? '',
            tag: options.tag ?? '',
            orderingKey: options.lane ?? '',
            pageSize: options.limit,
            cursor: options.cursor ?? '',
          },
          {},
        );
        const { tasks, cursor, examined } = page;
        output.result({ tasks: tasks.map(taskJson), cursor, examined }, () => {
          const rows = tasks.map((task) => [
            task.id,
            stateName(task.state),
            task.spec?.type ?? '',
            `${task.attempt}/${task.maxAttempts}`,
            time(task.acceptedAtMs),
            task.lastError.split('\n')[0]?.slice(0, 60) ?? '',
          ]);
          return table(['ID', 'STATE', 'TYPE', 'ATTEMPT', 'ACCEPTED', 'LAST ERROR'], rows);
        });
        if (cursor !== '') output.note(`more: --cursor ${cursor}`);
        if (tasks.length === 0 && !output.json) {
          const told = await unknownQueue(transport, options.tenant, options.queue);
          if (told !== undefined) output.note(told);
        }
      });
    });
}
