import type { Command } from '@commander-js/extra-typings';
import { TaskService } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import type { Globals } from '../globals.ts';
import { reach } from '../reach.ts';
import { eventLine, taskJson, taskText } from '../task-text.ts';

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
        const history = options.history
          ? (await transport.call(TaskService.method.getTaskHistory, { id, tenant }, {})).events
          : undefined;
        output.result({ ...taskJson(task), ...(history && { history }) }, () =>
          [taskText(task), ...(history?.map(eventLine) ?? [])].join('\n'),
        );
      });
    });
}
