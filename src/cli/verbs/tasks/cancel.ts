import type { Command } from '@commander-js/extra-typings';
import type { Task } from '../../../rpc/gen/holdfast/v1/task_pb.ts';
import { TaskService } from '../../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { withServer } from '../../connection/connect.ts';
import type { Globals } from '../../globals.ts';
import { stateName } from '../../text/task-text.ts';
import { forEachTask, readIds } from './many.ts';

function cancelLine({ id, state, cancelRequested, leaseEndAtMs }: Task): string {
  return cancelRequested && leaseEndAtMs !== 0n
    ? `${id} will be cancelled: its worker gets the request with the next heartbeat, or its lease expires`
    : `${id} ${stateName(state)}`;
}

export function addCancel(program: Command, globals: Globals): void {
  program
    .command('cancel')
    .argument('<ids...>', 'the ids of tasks; - reads them from standard input, the first word of each line')
    .description('cancel tasks: a waiting one at once, a running one by a request to its worker')
    .option('--reason <text>', 'the reason, kept in the task’s history', '')
    .option('--tenant <name>', 'the tenant; default: your own', '')
    .action(async (words, { reason, tenant }) => {
      const { server, output } = globals();
      const ids = await readIds(words, process.stdin);
      await withServer(server, (transport) =>
        forEachTask(output, ids, {
          participle: 'cancelled',
          call: (id) => transport.call(TaskService.method.cancelTask, { id, reason, tenant }, {}),
          line: cancelLine,
        }),
      );
    });
}
