import type { Command } from '@commander-js/extra-typings';
import { TaskService } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { reach } from '../connect.ts';
import type { Globals } from '../globals.ts';
import { stateName, taskJson } from '../text/task-text.ts';

export function addRetry(program: Command, globals: Globals): void {
  program
    .command('retry')
    .argument('<id>', 'the id of a dead task')
    .description('let a dead task run again, with attempts as at first')
    .option('--tenant <name>', 'another tenant than your own', '')
    .action(async (id, { tenant }) => {
      const { url, output } = globals();
      await reach({ url }, async (transport) => {
        const { task } = await transport.call(TaskService.method.retryTask, { id, tenant }, {});
        if (task !== undefined) output.result(taskJson(task), () => `${id} ${stateName(task.state)}`);
      });
    });
}
