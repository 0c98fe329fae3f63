/** Main program of a claimer by unary calls. For each message of its parent it claims one task and settles it. */
import { grpcTransport } from '../../../src/client/grpc/transport.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { WorkerService } from '../../../src/rpc/gen/holdfast/v1/worker_service_pb.ts';
import { reportToParent } from './race.ts';

const [workerName = '', address = '', ca = '', cert = '', key = ''] = process.argv.slice(2);
process.once('disconnect', () => process.exit(1));
process.once('SIGTERM', () => process.exit(0));
const transport = grpcTransport({ address, tls: { ca, cert, key }, clock: systemClock() });
const workerId = crypto.randomUUID();
const { claimTasks, succeedTask } = WorkerService.method;

async function claim(taskId: string): Promise<void> {
  const request = {
    workerName,
    workerId,
    queues: ['races'],
    types: [{ type: 'race', maxVersion: 1 }],
    maxTasks: 1,
    waitMs: 10_000n,
    requestId: crypto.randomUUID(),
  };
  const { tasks } = await transport.call(claimTasks, request, {});
  const won = tasks.some((task) => task.taskId === taskId);
  let settled = false;
  for (const { lease } of tasks) {
    await transport.call(succeedTask, { lease }, {});
    settled = true;
  }
  reportToParent({ kind: 'claimed', taskId, won, settled });
}

process.on('message', ({ taskId }: { taskId: string }) => void claim(taskId));
reportToParent({ kind: 'ready' });
