import type { Command } from '@commander-js/extra-typings';
import type { Transport } from '../../client/transport.ts';
import type { TaskEvent } from '../../rpc/gen/holdfast/v1/task_pb.ts';
import { TaskService } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { eventJson } from '../event-json.ts';
import type { Globals } from '../globals.ts';
import { reach } from '../reach.ts';
import { eventLine, taskJson, taskText } from '../task-text.ts';

async function historyOf(
  transport: Transport,
  task: { readonly id: string; readonly tenant: string },
): Promise<TaskEvent[]> {
  const all: TaskEvent[] = [];
  for (let more = true; more; ) {
    const asked = { ...task, fromVersion: all.length };
    const page = await transport.call(TaskService.method.getTaskHistory, asked, {});
    all.push(...page.events);
    more = page.more && page.events.length > 0;
  }
  return all;
}

export function addShow(program: Command, globals: Globals): void {
  program
    .command('show')
    .argument('<id>', 'the task’s id')
    .description('show a task: where it stands, what it carries, what happened to it')
    .option('--history', 'with every event since its submission')
    .option('--tenant <name>', 'another tenant than your own', '')
    .action(async (id, options) => {
      const { url, output } = globals();
      await reach({ url }, async (transport) => {
        const { tenant } = options;
        const asked = { id, tenant, withResult: true, withPayload: true };
        const { task } = await transport.call(TaskService.method.getTask, asked, {});
        if (task === undefined) return;
        const history = options.history ? await historyOf(transport, { id, tenant }) : undefined;
        output.result({ ...taskJson(task), ...(history && { history: history.map(eventJson) }) }, () =>
          [taskText(task), ...(history?.map(eventLine) ?? [])].join('\n'),
        );
      });
    });
}
