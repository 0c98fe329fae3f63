/** A worker by unary calls: asks for one task whenever its parent says so, and settles what it is given. */
import { grpcTransport } from '../../../src/client/grpc/transport.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { WorkerService } from '../../../src/rpc/gen/holdfast/v1/worker_service_pb.ts';
import { tellParent } from './race.ts';

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
  tellParent({ kind: 'claimed', taskId, won, settled });
}

process.on('message', ({ taskId }: { taskId: string }) => void claim(taskId));
tellParent({ kind: 'ready' });
