/** The unary calls of a worker, as a program in another language makes them. */
import type { Transport } from '../../../../src/client/transport.ts';
import { WorkerService } from '../../../../src/rpc/gen/holdfast/v1/worker_service_pb.ts';

const { claimTasks, failTask, heartbeat, succeedTask } = WorkerService.method;

export interface ClaimedTask {
  readonly taskId: string;
  readonly lease: Uint8Array;
  readonly attempt: number;
}

export async function claimOne(
  transport: Transport,
  { queue, type, workerName }: Readonly<Record<'queue' | 'type' | 'workerName', string>>,
  waitMs = 10_000,
): Promise<ClaimedTask | undefined> {
  const { tasks } = await transport.call(
    claimTasks,
    {
      workerName,
      workerId: crypto.randomUUID(),
      queues: [queue],
      types: [{ type, maxVersion: 1 }],
      maxTasks: 1,
      waitMs: BigInt(waitMs),
      requestId: crypto.randomUUID(),
    },
    { timeoutMs: waitMs + 10_000 },
  );
  return tasks[0];
}

export async function succeed(transport: Transport, lease: Uint8Array): Promise<void> {
  await transport.call(succeedTask, { lease }, {});
}

/** Fails an attempt so that the task is dead. */
export async function failForGood(transport: Transport, lease: Uint8Array, message: string): Promise<void> {
  await transport.call(failTask, { lease, message, reason: 2 }, {});
}

export async function sendHeartbeat(transport: Transport, lease: Uint8Array): Promise<void> {
  await transport.call(heartbeat, { items: [{ lease, begun: true }] }, {});
}
