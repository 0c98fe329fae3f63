/** A node of its own over the shared table. Its bells come from its parent, who gives each to every claimer. */
import { aws } from '../../../src/engines/aws/index.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import type { Bell, Bells, Ring } from '../../../src/ports/broker.ts';
import { createService } from '../../../src/service/create-service.ts';
import { clientOf } from '../../stand-ins/dynoxide.ts';
import { lostLog } from './lost-log.ts';
import { tellParent } from './race.ts';

const [workerName = '', table = '', endpoint = ''] = process.argv.slice(2);
process.once('disconnect', () => process.exit(1));
const clock = systemClock();
const log = lostLog;
const engine = aws({ table, clock, log, dynamodb: clientOf(endpoint), sqs: clientOf('http://127.0.0.1:1') });

let heard: Bell[] = [];
const bells: Bells = {
  receive: async () => heard.splice(0),
  ring: async (rings) => rings.map(() => true),
  hide: async (hidden) => hidden.map(() => true),
  silence: async (handles) => handles.map(() => true),
};
const { service, settled } = await createService({
  ...engine,
  bells,
  node: workerName,
  clock,
  log,
  createQueues: true,
});
const workerId = clock.uuid();

async function claim(ring: Ring): Promise<void> {
  heard = [{ ring, handle: '', receives: 1, sentAtMs: clock.now(), hint: undefined }];
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
  }));
  const to = { tenant: 'default', sessionId: undefined };
  const { results } = items.length === 0 ? { results: [] } : await service.settle(items, to);
  const won = tasks.some(({ id }) => id === ring.id);
  const stood = results.length > 0 && results.every(({ error }) => error === undefined);
  tellParent({ kind: 'claimed', taskId: ring.id, won, settled: stood });
}

process.on('message', ({ ring }: { ring: Ring }) => void claim(ring));
process.once('SIGTERM', async () => {
  await settled();
  await engine.close();
  process.exit(0);
});
tellParent({ kind: 'ready' });
