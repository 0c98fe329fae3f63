import { afterAll, beforeAll, expect, test } from 'vitest';
import { noOptions } from '../../src/core/codec/options.ts';
import { encodeSpec } from '../../src/core/codec/spec.ts';
import type { Assignment } from '../../src/core/messages.ts';
import {
  type AwsEngine,
  aws,
  createQueues,
  createTable,
  sqsQueuesOf,
  tableClient,
} from '../../src/engines/aws/index.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { silentLog } from '../../src/ports/log.ts';
import { createService, type RunningService } from '../../src/service/create-service.ts';
import { clientOf, type Dynoxide, startDynoxide } from '../stand-ins/dynoxide.ts';
import { startFauxqs } from '../stand-ins/fauxqs.ts';
import { type SqsStandIn, standInClient } from '../stand-ins/sqs-stand-in.ts';
import { noise } from './engine-on-table.ts';

const clock = systemClock();
const mail = { tenant: 'default', queue: 'mail' };
const tasks = 60;
let dynoxide: Dynoxide;
let sqs: SqsStandIn;
beforeAll(async () => {
  [dynoxide, sqs] = await Promise.all([startDynoxide(), startFauxqs()]);
  const table = tableClient(clientOf(dynoxide.endpoint));
  await createTable(table, 'whole', clock);
  const queues = standInClient(sqs.endpoint);
  await createQueues(queues, sqsQueuesOf('whole', mail));
  table.destroy();
  queues.destroy();
});
afterAll(async () => {
  await Promise.all([dynoxide.stop(), sqs.stop()]);
});

interface Node extends RunningService {
  readonly engine: AwsEngine;
}

async function node(name: string): Promise<Node> {
  const sqsConfig = { ...clientOf(sqs.endpoint), useQueueUrlAsEndpoint: false };
  const engine = aws({ table: 'whole', clock, dynamodb: clientOf(dynoxide.endpoint), sqs: sqsConfig });
  const { store, broker, registry } = engine;
  const options = { node: name, store, broker, registry, clock, log: silentLog, createQueues: true };
  return { ...(await createService(options)), engine };
}

function itemOf(i: number) {
  const payload = { contentType: 'x/y', encoding: '', keyId: '', bytes: noise(1_024, i), reference: '' };
  const spec = encodeSpec({ type: 'send', typeVersion: 1, orderingKey: undefined, payload });
  return { key: clock.uuid(), spec, options: noOptions, traceparent: '' };
}

/** Claims and settles tasks until all tasks of the test are done. */
async function work({ service }: Node, workerId: string, done: Set<string>): Promise<void> {
  while (done.size < tasks) {
    const claimed: readonly Assignment[] = await service.claim({
      tenant: mail.tenant,
      workerName: 'w',
      workerId,
      queues: [mail.queue],
      types: [{ type: 'send', maxVersion: 1 }],
      maxTasks: 10,
      waitMs: 500,
      requestId: '',
      signal: new AbortController().signal,
    });
    const settlements = claimed.map(({ lease }) => ({
      lease,
      outcome: 'succeeded' as const,
      result: undefined,
      message: '',
      errorType: '',
      afterMs: undefined,
      begun: false,
    }));
    const { results } = await service.settle(settlements, { tenant: mail.tenant, sessionId: undefined });
    for (const [i, one] of results.entries()) {
      expect(one.error).toBeUndefined();
      done.add(claimed[i]?.id ?? '');
    }
  }
}

test('two nodes on one table run each task once, at the cost that docs/table-design.md lists', async () => {
  const [a, b] = await Promise.all([node('a'), node('b')]);
  const batch = Array.from({ length: tasks }, (_, i) => itemOf(i));
  await a.context.queues.ensure(mail);
  await b.context.queues.refresh();
  a.engine.meters.table.reset();
  b.engine.meters.table.reset();
  const half = tasks / 2;
  const submitted = await Promise.all([
    a.service.submit(mail, batch.slice(0, half), { notAfterMs: undefined }),
    b.service.submit(mail, batch.slice(half), { notAfterMs: undefined }),
  ]);
  expect(submitted.flat().every((one) => one.error === undefined && !one.deduplicated)).toBe(true);
  const done = new Set<string>();
  await Promise.all([work(a, 'a', done), work(b, 'b', done)]);
  await Promise.all([a.settled(), b.settled()]);
  const units = { writes: 0, reads: 0 };
  for (const { engine } of [a, b]) {
    // The calls of the registry are left out: the shard counts are read twice a minute, whatever happens to tasks.
    const { registry: _, ...taskCalls } = engine.meters.table.read();
    for (const one of Object.values(taskCalls)) {
      units.writes += one.writeUnits + one.failedUnits;
      units.reads += one.readUnits;
    }
  }
  expect(units).toEqual({ writes: 5 * tasks, reads: 0.5 * tasks });
  const page = { limit: 100, cursor: undefined };
  expect((await b.service.list({ ...mail, state: 'succeeded' }, page)).items).toHaveLength(tasks);
  await Promise.all([a.engine.close(), b.engine.close()]);
});
