import type { DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import type { Clock, Timekeeper } from '../../ports/clock.ts';
import type { Engine } from '../../ports/engine.ts';
import { type Log, silentLog } from '../../ports/log.ts';
import type { Overload } from '../../ports/overload.ts';
import { createSqsBroker, type SqsBroker, type SqsBrokerOptions } from './broker/broker.ts';
import { createSqsDeadLetters } from './broker/dead-letters.ts';
import { sqsClient } from './broker/sqs/calls.ts';
import type { SqsMeter } from './broker/sqs/meter.ts';
import { Admission } from './load/admission.ts';
import { Dependency } from './load/dependency.ts';
import { instrument } from './load/instrument-client.ts';
import { tellTime } from './sdk/server-time.ts';
import type { Meter } from './table/meter.ts';
import { openTable } from './table/open.ts';

export { sqsClient } from './broker/sqs/calls.ts';
export { checkQueues, createQueues } from './broker/sqs/create.ts';
export { type SqsQueueDefinition, sqsQueuesOf } from './broker/sqs/definition.ts';
export { ensureRegion } from './sdk/region.ts';
export { asStartError } from './sdk/start-errors.ts';
export { checkTable, createTable, enableTtl, untilMade } from './table/create.ts';
export type { Meter, Metered } from './table/meter.ts';
export { openTable, type TableOptions, type TableParts, tableClient } from './table/open.ts';
export {
  defaultShards,
  type IndexDefinition,
  mostShards,
  type ShardCounts,
  tableDefinition,
} from './table/schema/definition.ts';
export {
  type AskedShards,
  checkShards,
  growShards,
  shardsOf,
  type TableShards,
} from './table/schema/shard-counts.ts';

export interface AwsOptions {
  /** Name of the table, which `createTable` made. */
  readonly table: string;
  /** What the names of the SQS queues begin with. Default: the table's name. */
  readonly prefix?: string | undefined;
  readonly clock: Clock;
  /** Told the time that AWS's answers tell. */
  readonly timekeeper?: Timekeeper | undefined;
  readonly log?: Log | undefined;
  readonly prioritiesOf?: SqsBrokerOptions['prioritiesOf'];
  /** Region, endpoint, credentials; what is absent is found as the SDK finds it. */
  readonly dynamodb?: DynamoDBClientConfig | undefined;
  readonly sqs?: SQSClientConfig | undefined;
}

export interface AwsEngine extends Engine {
  /** Admission, and how it goes with `table` and `queues`. */
  readonly overload: Overload;
  readonly broker: SqsBroker;
  /** What the calls so far consumed. */
  readonly meters: { readonly table: Meter; readonly queues: SqsMeter };
}

/** The shared engine: tasks on one DynamoDB table, bells on SQS FIFO. Any number of processes, each opens it. */
export function aws(options: AwsOptions): AwsEngine {
  const { table, prefix = table, clock, log = silentLog, prioritiesOf } = options;
  const parts = openTable({ table, clock, log, client: options.dynamodb });
  const load = new Dependency('queues', clock, log);
  const client = instrument(sqsClient(options.sqs), load);
  for (const each of [...parts.clients, client]) tellTime(each, clock, options.timekeeper);
  const queues = { client, clock, log, prefix, prioritiesOf, load };
  const broker = createSqsBroker({ ...queues, table: parts.load });
  const deadLetters = createSqsDeadLetters({ ...queues, meter: broker.meter });
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await Promise.all([parts.close(), broker.close(), deadLetters.close()]);
    client.destroy();
  };
  return {
    store: parts.store,
    registry: parts.registry,
    broker,
    deadLetters,
    overload: new Admission(clock, log, [parts.load, load]),
    meters: { table: parts.meter, queues: broker.meter },
    close() {
      closing ??= close();
      return closing;
    },
  };
}
