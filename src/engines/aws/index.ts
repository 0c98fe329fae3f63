import type { DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import type { Clock, Timekeeper } from '../../ports/clock.ts';
import type { Engine } from '../../ports/engine.ts';
import { type Log, silentLog } from '../../ports/log.ts';
import type { RequestObserver } from '../../ports/metrics.ts';
import type { Overload } from '../../ports/overload.ts';
import type { Tracing } from '../../ports/tracing.ts';
import { createSqsBroker, type SqsBroker, type SqsBrokerOptions } from './broker/broker.ts';
import { createSqsDeadLetters } from './broker/dead-letters.ts';
import { sqsClient } from './broker/sqs/calls.ts';
import type { SqsMeter } from './broker/sqs/meter.ts';
import { Admission } from './load/admission.ts';
import { Dependency } from './load/dependency.ts';
import { instrument } from './load/instrument-client.ts';
import { reportServerTime } from './sdk/server-time.ts';
import { traceRequests } from './sdk/trace-requests.ts';
import type { Meter } from './table/meter.ts';
import { openTable } from './table/open.ts';

export { sqsClient } from './broker/sqs/calls.ts';
export { checkQueues, createQueues } from './broker/sqs/create.ts';
export {
  type NameForm,
  newNameForm,
  prefixFault,
  type SqsQueueDefinition,
  sqsQueuesOf,
} from './broker/sqs/definition.ts';
export { ensureRegion } from './sdk/region.ts';
export { asStartError } from './sdk/start-errors.ts';
export { checkTable, createTable, enableTtl, waitWhileCreating } from './table/create.ts';
export type { CallUsage, Meter } from './table/meter.ts';
export { openTable, type TableOptions, type TableParts, tableClient } from './table/open.ts';
export {
  defaultShards,
  type IndexDefinition,
  mostShards,
  type ShardCounts,
  tableDefinition,
} from './table/schema/definition.ts';
export {
  ensureReadable,
  raiseTableSchema,
  readTableSchema,
  type SchemaRange,
  tableSchema,
} from './table/schema/schema-number.ts';
export {
  checkShards,
  growShards,
  type RequestedShards,
  readShardCounts,
  type TableShards,
} from './table/schema/shard-counts.ts';

export interface AwsOptions {
  /** Name of a table that `createTable` created. */
  readonly table: string;
  /** Prefix of the SQS queues' names. Default: the table's name. */
  readonly prefix?: string | undefined;
  readonly clock: Clock;
  /**
   * Receives a time sample (the server's time, and when the request was sent and answered) from each response of AWS.
   */
  readonly timekeeper?: Timekeeper | undefined;
  readonly log?: Log | undefined;
  /** Records the calls to AWS that belong to a sampled trace. Default: they are not recorded. */
  readonly tracing?: Tracing | undefined;
  readonly prioritiesOf?: SqsBrokerOptions['prioritiesOf'];
  readonly nameFormOf?: SqsBrokerOptions['nameFormOf'];
  /** Region, endpoint and credentials for DynamoDB. The SDK takes absent values from its default sources. */
  readonly dynamodb?: DynamoDBClientConfig | undefined;
  /** Region, endpoint and credentials for SQS. The SDK takes absent values from its default sources. */
  readonly sqs?: SQSClientConfig | undefined;
  /** Observes each HTTP request to DynamoDB and SQS. */
  readonly requests?: RequestObserver | undefined;
}

export interface AwsEngine extends Engine {
  /**
   * Refuses submissions while the DynamoDB table or SQS is overloaded, and reports the load of the table and of SQS.
   */
  readonly overload: Overload;
  readonly broker: SqsBroker;
  /** Requests to DynamoDB and SQS, and capacity units, that this engine has used so far. */
  readonly meters: { readonly table: Meter; readonly queues: SqsMeter };
}

/**
 * Opens the AWS engine: tasks in one DynamoDB table, dispatch messages in SQS FIFO queues. Any number of processes may
 * open the same table.
 */
export function aws(options: AwsOptions): AwsEngine {
  const { table, prefix = table, clock, log = silentLog, prioritiesOf, nameFormOf } = options;
  const { requests } = options;
  const parts = openTable({ table, clock, log, client: options.dynamodb, requests });
  const load = new Dependency('queues', clock, log);
  const client = instrument(sqsClient(options.sqs), load, options);
  for (const each of [...parts.clients, client]) {
    reportServerTime(each, clock, options.timekeeper);
    if (options.tracing !== undefined) traceRequests(each, options.tracing);
  }
  const queues = { client, clock, log, prefix, prioritiesOf, nameFormOf, load };
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
    consumed: () => consumedOf(parts.meter, broker.meter),
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** Returns what AWS bills for the requests so far: the parts of the capacity units, and the requests to SQS. */
function consumedOf(table: Meter, queues: SqsMeter): Readonly<Record<string, number>> {
  const sum = { write: 0, index: 0, read: 0, sqs: 0 };
  for (const { writeUnits, indexWriteUnits, failedUnits, readUnits } of Object.values(table.read())) {
    sum.write += writeUnits - indexWriteUnits + failedUnits;
    sum.index += indexWriteUnits;
    sum.read += readUnits;
  }
  for (const { calls } of Object.values(queues.read())) sum.sqs += calls;
  return sum;
}
