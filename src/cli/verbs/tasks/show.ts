import type { Command } from '@commander-js/extra-typings';
import type { Transport } from '../../../client/transport.ts';
import { type Task, type TaskEvent, TaskView } from '../../../rpc/gen/holdfast/v1/task_pb.ts';
import { TaskService } from '../../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { withServer } from '../../connection/connect.ts';
import type { Globals } from '../../globals.ts';
import { labelled } from '../../output.ts';
import { eventJson } from '../../text/event-json.ts';
import { eventLine, taskJson, taskText } from '../../text/task-text.ts';
import { tamperError, wholeText } from '../../text/verify-text.ts';

interface TaskRef {
  readonly id: string;
  readonly tenant: string;
}

async function historyOf(transport: Transport, task: TaskRef): Promise<TaskEvent[]> {
  const all: TaskEvent[] = [];
  for (let more = true; more; ) {
    const request = { ...task, fromVersion: all.length };
    const page = await transport.call(TaskService.method.getTaskHistory, request, {});
    all.push(...page.events);
    more = page.hasMore && page.events.length > 0;
  }
  return all;
}

interface TaskDetails {
  readonly task: Task;
  readonly history: readonly TaskEvent[];
}

async function readTask(
  transport: Transport,
  ref: TaskRef,
  withHistory: boolean,
): Promise<TaskDetails | undefined> {
  const request = { ...ref, view: TaskView.FULL };
  const { task } = await transport.call(TaskService.method.getTask, request, {});
  return task && { task, history: withHistory ? await historyOf(transport, ref) : [] };
}

export function addShow(program: Command, globals: Globals): void {
  program
    .command('show')
    .argument('<id>', 'the task’s id')
    .description('show a task: its state, its payload and options, its result')
    .option('--history', 'also show every event since its submission')
    .option('--verify', 'also check that its events are those that were written; exit status 1 if not')
    .option('--tenant <name>', 'the tenant; default: your own', '')
    .action(async (id, options) => {
      const { server, output } = globals();
      await withServer(server, async (transport) => {
        const ref = { id, tenant: options.tenant };
        // The history is verified first, since a task whose stored events were changed may be unreadable for all other
        // calls.
        const verified = options.verify
          ? await transport.call(TaskService.method.verifyTaskHistory, ref, {})
          : undefined;
        const fault = verified && tamperError(id, verified);
        if (fault !== undefined && output.json) throw fault;
        const shown = await readTask(transport, ref, options.history === true).catch((thrown) => {
          throw fault ?? thrown;
        });
        if (shown === undefined) return;
        const { task, history } = shown;
        const whole = fault === undefined ? verified : undefined;
        const json = {
          ...taskJson(task),
          ...(whole && { verified: { whole: true, events: whole.events } }),
          ...(options.history && { history: history.map(eventJson) }),
        };
        output.result(json, () =>
          [
            taskText(task),
            ...(whole ? [labelled('history', wholeText(whole))] : []),
            ...history.map(eventLine),
          ].join('\n'),
        );
        if (fault !== undefined) throw fault;
      });
    });
}
