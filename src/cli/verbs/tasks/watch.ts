import { create } from '@bufbuild/protobuf';
import type { Command } from '@commander-js/extra-typings';
import { createQueues } from '../../../client/admin/queues.ts';
import type { Transport } from '../../../client/transport.ts';
import { HoldfastError } from '../../../core/errors.ts';
import { limits } from '../../../core/limits.ts';
import { type Task, TaskState, TaskView } from '../../../rpc/gen/holdfast/v1/task_pb.ts';
import {
  TaskService,
  type VersionedEvent,
  WatchTasksRequestSchema,
} from '../../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { callsOf, type Interruption, withServer } from '../../connection/connect.ts';
import { usage } from '../../exit-codes.ts';
import type { Globals } from '../../globals.ts';
import type { Output } from '../../output.ts';
import { eventJson } from '../../text/event-json.ts';
import { tasksText } from '../../text/list-text.ts';
import { wholeNumber } from '../../text/numbers.ts';
import { queuesText } from '../../text/queue-text.ts';
import { sdkJson } from '../../text/sdk-json.ts';
import { eventLine, stateName, taskJson } from '../../text/task-text.ts';
import { untilNextLook } from './follow.ts';
import { type ListFlags, newestOfAll, stateOption } from './list.ts';
import { endError, hasEnded } from './wait-for-end.ts';

async function read(transport: Transport, id: string, tenant: string): Promise<Task> {
  const { task } = await transport.call(
    TaskService.method.getTask,
    { id, tenant, view: TaskView.RESULT },
    {},
  );
  if (task === undefined) throw new HoldfastError('NOT_FOUND', 'TASK_NOT_FOUND', `There is no task ${id}.`);
  return task;
}

/** Prints each event of a task, from its submission on, until it ends. */
async function watchTask(
  transport: Transport,
  output: Output,
  { id, tenant }: { readonly id: string; readonly tenant: string },
  { signal }: Interruption,
): Promise<void> {
  let fromVersion = 0;
  const print = ({ version, event, state }: VersionedEvent): void => {
    fromVersion = version;
    if (event === undefined) return;
    const json = { taskId: id, ...eventJson(event, version - 1), state: stateName(state) };
    output.line(json, () => eventLine(event, version - 1));
  };
  for (;;) {
    const task = await read(transport, id, tenant);
    if (hasEnded(task) && fromVersion >= task.version) {
      if (task.state !== TaskState.SUCCEEDED) throw endError(task, tenant);
      return;
    }
    const request = create(WatchTasksRequestSchema, { tasks: [{ id, fromVersion }], tenant });
    for await (const { update } of transport.watch(request, { signal })) {
      const { update: one } = update ?? {};
      if (one?.case === 'event') print(one.value);
      if (one?.case === 'progress' && !output.json)
        output.note(`${Math.round(one.value.fraction * 100)} % ${one.value.note}`.trimEnd());
    }
    if (!(await untilNextLook(signal))) return;
  }
}

const clearScreen = '\u001B[2J\u001B[3J\u001B[H';

/** Prints the queues and the newest tasks again and again: on a terminal in its place, otherwise one below the other. */
async function watchList(
  transport: Transport,
  output: Output,
  flags: ListFlags,
  interruption: Interruption,
): Promise<void> {
  interruption.endsInOrder = true;
  const all = createQueues(callsOf(transport), flags.tenant);
  do {
    const [queues, { listed }] = await Promise.all([
      flags.queue === undefined ? all.list() : all.get(flags.queue).then((one) => [one]),
      newestOfAll(transport, flags),
    ]);
    if (process.stdout.isTTY && !output.json) process.stdout.write(clearScreen);
    output.line({ queues: sdkJson(queues), tasks: listed.tasks.map(taskJson) }, () =>
      [queuesText(queues), '', tasksText(listed.tasks, Date.now(), true), ''].join('\n'),
    );
  } while (await untilNextLook(interruption.signal));
}

export function addWatch(program: Command, globals: Globals): void {
  program
    .command('watch')
    .argument('[id]', 'the id of a task; without it, the queues and the newest tasks are shown')
    .description(
      'watch a task until it ends, event by event; or the queues and the newest tasks, each second',
    )
    .option('--queue <name>', 'only this queue')
    .option('--tenant <name>', 'the tenant; default: your own', '')
    .addOption(stateOption())
    .option('--type <type>', 'only tasks of this type')
    .option('--tag <tag>', 'only tasks with this tag')
    .option('--limit <n>', 'the tasks that are shown, 1 to 100', wholeNumber(1, limits.pageItems), 20)
    .action(async (id, flags) => {
      const { server, output } = globals();
      const { queue, state, type, tag } = flags;
      if (id !== undefined && [queue, state, type, tag].some((flag) => flag !== undefined))
        throw usage('An id and filters are given together.', 'Name one task by its id, or filter the list.');
      await withServer(server, (transport, interruption) => {
        if (id === undefined) return watchList(transport, output, flags, interruption);
        interruption.taskId = id;
        interruption.help = 'The task goes on.';
        return watchTask(transport, output, { id, tenant: flags.tenant }, interruption);
      });
    });
}
