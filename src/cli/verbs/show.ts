import type { Command } from '@commander-js/extra-typings';
import type { Transport } from '../../client/transport.ts';
import type { Task, TaskEvent } from '../../rpc/gen/holdfast/v1/task_pb.ts';
import { TaskService } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { reach } from '../connect.ts';
import type { Globals } from '../globals.ts';
import { labelled } from '../output.ts';
import { eventJson } from '../text/event-json.ts';
import { eventLine, taskJson, taskText } from '../text/task-text.ts';
import { tampered, wholeText } from '../text/verify-text.ts';

interface Named {
  readonly id: string;
  readonly tenant: string;
}

async function historyOf(transport: Transport, task: Named): Promise<TaskEvent[]> {
  const all: TaskEvent[] = [];
  for (let more = true; more; ) {
    const asked = { ...task, fromVersion: all.length };
    const page = await transport.call(TaskService.method.getTaskHistory, asked, {});
    all.push(...page.events);
    more = page.more && page.events.length > 0;
  }
  return all;
}

interface Shown {
  readonly task: Task;
  readonly history: readonly TaskEvent[];
}

async function read(transport: Transport, named: Named, withHistory: boolean): Promise<Shown | undefined> {
  const asked = { ...named, withResult: true, withPayload: true };
  const { task } = await transport.call(TaskService.method.getTask, asked, {});
  return task && { task, history: withHistory ? await historyOf(transport, named) : [] };
}

export function addShow(program: Command, globals: Globals): void {
  program
    .command('show')
    .argument('<id>', 'the task’s id')
    .description('show a task: where it stands, what it carries, what happened to it')
    .option('--history', 'with every event since its submission')
    .option('--verify', 'and whether its events are those that were written; status 1 where not')
    .option('--tenant <name>', 'another tenant than your own', '')
    .action(async (id, options) => {
      const { url, output } = globals();
      await reach({ url }, async (transport) => {
        const named = { id, tenant: options.tenant };
        // First: what was changed may be such that nothing else can be read.
        const verified = options.verify
          ? await transport.call(TaskService.method.verifyTaskHistory, named, {})
          : undefined;
        const fault = verified && tampered(id, verified);
        if (fault !== undefined && output.json) throw fault;
        const shown = await read(transport, named, options.history === true).catch((thrown) => {
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
