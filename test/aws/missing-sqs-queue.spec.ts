/**
 * Due tasks of a queue whose SQS queue was deleted cannot be dispatched: they must not delay the due tasks of other
 * queues.
 */
import { DeleteQueueCommand, GetQueueUrlCommand } from '@aws-sdk/client-sqs';
import { expect, test } from 'vitest';
import { noOptions } from '../../src/core/codec/options.ts';
import type { QueueRef } from '../../src/core/queue-ref.ts';
import { sqsQueueName } from '../../src/engines/aws/broker/sqs/definition.ts';
import { aws, createQueues, createTable, sqsQueuesOf, tableClient } from '../../src/engines/aws/index.ts';
import { defaultShards } from '../../src/engines/aws/table/schema/definition.ts';
import { shardOf, slotOf } from '../../src/engines/aws/table/schema/ids.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { type LogFields, silentLog } from '../../src/ports/log.ts';
import { Sweeper } from '../../src/runtime/sweep.ts';
import { createService } from '../../src/service/create-service.ts';
import { item } from '../fixtures/api-node.ts';
import { movingClock } from '../fixtures/moving-clock.ts';
import { clientOf, startDynoxide } from '../stand-ins/dynoxide.ts';
import { startFauxqs } from '../stand-ins/fauxqs.ts';
import { standInClient } from '../stand-ins/sqs-stand-in.ts';

const table = 'no-sqs-queue';
const gone: QueueRef = { tenant: 'default', queue: 'gone' };
const sound: QueueRef = { tenant: 'other', queue: 'sound' };
const never = new AbortController().signal;

/**
 * Returns idempotency keys whose tasks have their due entries in shard 0 of the due index. There are more of these
 * tasks than one page of due entries holds.
 */
function keys(queue: QueueRef, count: number): string[] {
  const found: string[] = [];
  for (let i = 0; found.length < count; i++) {
    if (shardOf(slotOf({ ...queue, key: `k${i}` }), defaultShards.due) === 0) found.push(`k${i}`);
  }
  return found;
}

test('due tasks whose SQS queue was deleted delay no other due task of their shard, and each sweep logs them in one line', async () => {
  const [dynoxide, sqs] = await Promise.all([startDynoxide(), startFauxqs()]);
  const clock = movingClock();
  const lines: LogFields[] = [];
  const log = { ...silentLog, warn: (fields: LogFields): void => void lines.push(fields) };
  const client = tableClient(clientOf(dynoxide.endpoint));
  await createTable(client, table, systemClock());
  const queues = standInClient(sqs.endpoint);
  for (const queue of [gone, sound]) await createQueues(queues, sqsQueuesOf(table, queue));
  const sqsConfig = { ...clientOf(sqs.endpoint), useQueueUrlAsEndpoint: false };
  const engine = aws({ table, clock, dynamodb: clientOf(dynoxide.endpoint), sqs: sqsConfig });
  const running = await createService({ ...engine, node: 'n', clock, log, createQueues: true });

  const submit = async (queue: QueueRef, count: number, delayMs: number): Promise<void> => {
    const some = keys(queue, count);
    for (let from = 0; from < count; from += 100) {
      const items = some
        .slice(from, from + 100)
        .map((key) => item(key, { options: { ...noOptions, delayMs } }));
      const results = await running.service.submit(queue, items, { notAfterMs: undefined });
      expect(results.every(({ error }) => error === undefined)).toBe(true);
    }
  };
  await submit(gone, 250, 60_000);
  await submit(sound, 5, 120_000);
  const name = sqsQueueName(table, gone, 'normal');
  const { QueueUrl } = await queues.send(new GetQueueUrlCommand({ QueueName: name }));
  await queues.send(new DeleteQueueCommand({ QueueUrl }));
  clock.move(130_000);

  // `round` returns false if the sweep need not run again at once.
  expect(await new Sweeper(running.context).round(never)).toBe(false);
  const claimed = await running.service.claim({
    tenant: sound.tenant,
    workerName: 'w',
    workerId: 'w',
    queues: [sound.queue],
    types: [{ type: 'note', maxVersion: 1 }],
    maxTasks: 10,
    waitMs: 5_000,
    requestId: '',
    signal: never,
  });
  expect(claimed.map(({ key }) => key).sort()).toEqual(keys(sound, 5).sort());
  expect(lines).toEqual([expect.objectContaining({ ...gone, failed: expect.any(Number), waiting: 250 })]);
  expect(lines[0]?.err).toMatchObject({ reason: 'QUEUE_UNKNOWN' });

  await running.settled();
  await engine.close();
  client.destroy();
  queues.destroy();
  await Promise.all([dynoxide.stop(), sqs.stop()]);
});
