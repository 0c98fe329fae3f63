import type { Command } from '@commander-js/extra-typings';
import { TaskService } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { reach } from '../connect.ts';
import type { Globals } from '../globals.ts';
import { stateName, taskJson } from '../text/task-text.ts';

export function addCancel(program: Command, globals: Globals): void {
  program
    .command('cancel')
    .argument('<id>', 'the task’s id')
    .description('cancel a task: a waiting one at once, a running one by asking its worker')
    .option('--reason <text>', 'why; kept in its history', '')
    .option('--tenant <name>', 'another tenant than your own', '')
    .action(async (id, { reason, tenant }) => {
      const { url, output } = globals();
      await reach({ url }, async (transport) => {
        const { task } = await transport.call(TaskService.method.cancelTask, { id, reason, tenant }, {});
        if (task === undefined) return;
        output.result(taskJson(task), () =>
          task.cancelRequested && stateName(task.state) === 'running'
            ? `${id} was asked to stop; its worker answers within a heartbeat, else its lease ends it`
            : `${id} ${stateName(task.state)}`,
        );
      });
    });
}
