import type { Command } from '@commander-js/extra-typings';
import { TaskService } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { withServer } from '../connect.ts';
import type { Globals } from '../globals.ts';
import { stateName, taskJson } from '../text/task-text.ts';

export function addRedrive(program: Command, globals: Globals): void {
  program
    .command('redrive')
    .argument('<id>', 'the id of a dead task')
    .description('run a dead task again, with all its attempts')
    .option('--tenant <name>', 'the tenant; default: your own', '')
    .action(async (id, { tenant }) => {
      const { url, output } = globals();
      await withServer({ url }, async (transport) => {
        const { task } = await transport.call(TaskService.method.redriveTask, { id, tenant }, {});
        if (task !== undefined) output.result(taskJson(task), () => `${id} ${stateName(task.state)}`);
      });
    });
}
