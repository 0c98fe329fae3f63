/** A worker that claims one task by ClaimTasks, as a program in another language does, and sends a heartbeat after so many ms. */
import { setTimeout as sleep } from 'node:timers/promises';
import { grpcTransport } from '../../../../src/client/grpc/transport.ts';
import { systemClock } from '../../../../src/platform/clock.ts';
import { claimOne, sendHeartbeat } from '../site/worker-calls.ts';

const { ADDRESS = '', WORKER = '', QUEUE = '', HEARTBEAT_MS = '' } = process.env;
const transport = grpcTransport({ address: ADDRESS, plaintext: true, clock: systemClock() });
console.log('{}');
for (;;) {
  const task = await claimOne(transport, { queue: QUEUE, type: 'job', workerName: WORKER }, 5_000);
  if (task === undefined) continue;
  if (HEARTBEAT_MS !== '') {
    await sleep(Number(HEARTBEAT_MS));
    await sendHeartbeat(transport, task.lease);
  }
  await sleep(600_000);
}
