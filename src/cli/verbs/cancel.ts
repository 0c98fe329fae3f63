import type { Command } from '@commander-js/extra-typings';
import { TaskService } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { withServer } from '../connect.ts';
import type { Globals } from '../globals.ts';
import { stateName, taskJson } from '../text/task-text.ts';

export function addCancel(program: Command, globals: Globals): void {
  program
    .command('cancel')
    .argument('<id>', 'the task’s id')
    .description('cancel a task: a waiting one at once, a running one by a request to its worker')
    .option('--reason <text>', 'the reason, kept in the task’s history', '')
    .option('--tenant <name>', 'the tenant; default: your own', '')
    .action(async (id, { reason, tenant }) => {
      const { url, output } = globals();
      await withServer({ url }, async (transport) => {
        const { task } = await transport.call(TaskService.method.cancelTask, { id, reason, tenant }, {});
        if (task === undefined) return;
        output.result(taskJson(task), () =>
          task.cancelRequested && task.leaseEndAtMs !== 0n
            ? `${id} will be cancelled: its worker gets the request with the next heartbeat, or its lease expires`
            : `${id} ${stateName(task.state)}`,
        );
      });
    });
}
