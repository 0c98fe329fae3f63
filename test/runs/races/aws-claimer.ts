/**
 * Main program of a claimer, a process that claims tasks with a node of its own on the shared table. The parent process
 * sends each dispatch message to all claimers.
 */
import { aws } from '../../../src/engines/aws/index.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import type { Broker, Delivery, DispatchMessage } from '../../../src/ports/broker.ts';
import { createService } from '../../../src/service/create-service.ts';
import { clientOf } from '../../stand-ins/dynoxide.ts';
import { lossLog } from './loss-log.ts';
import { reportToParent } from './race.ts';

const [workerName = '', table = '', endpoint = ''] = process.argv.slice(2);
process.once('disconnect', () => process.exit(1));
const clock = systemClock();
const log = lossLog;
const engine = aws({ table, clock, log, dynamodb: clientOf(endpoint), sqs: clientOf('http://127.0.0.1:1') });

let received: Delivery[] = [];
const broker: Broker = {
  receive: async () => received.splice(0),
  send: async (messages) => messages.map(() => true),
  changeVisibility: async (changes) => changes.map(() => true),
  delete: async (receiptHandles) => receiptHandles.map(() => true),
};
const { service, settled } = await createService({
  ...engine,
  broker,
  node: workerName,
  clock,
  log,
  createQueues: true,
});
const workerId = clock.uuid();

async function claim(message: DispatchMessage): Promise<void> {
  received = [{ message, receiptHandle: '', receiveCount: 1, sentAtMs: clock.now(), snapshot: undefined }];
  const tasks = await service.claim({
    tenant: 'default',
    workerName,
    workerId,
    queues: ['races'],
    types: [{ type: 'race', maxVersion: 1 }],
    maxTasks: 1,
    waitMs: 0,
    requestId: clock.uuid(),
    signal: new AbortController().signal,
  });
  const items = tasks.map(({ lease }) => ({
    lease,
    outcome: 'succeeded' as const,
    result: undefined,
    message: '',
    errorType: '',
    afterMs: undefined,
    begun: false,
  }));
  const to = { tenant: 'default', sessionId: undefined };
  const { results } = items.length === 0 ? { results: [] } : await service.settle(items, to);
  const won = tasks.some(({ id }) => id === message.id);
  const isSettled = results.length > 0 && results.every(({ error }) => error === undefined);
  reportToParent({ kind: 'claimed', taskId: message.id, won, settled: isSettled });
}

process.on('message', ({ message }: { message: DispatchMessage }) => void claim(message));
process.once('SIGTERM', async () => {
  await settled();
  await engine.close();
  process.exit(0);
});
reportToParent({ kind: 'ready' });
