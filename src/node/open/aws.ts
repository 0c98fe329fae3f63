/** Opens the AWS engine for a node, with a clock that AWS's responses correct. The AWS SDK is loaded only when needed. */

import { HoldfastError } from '../../core/errors.ts';
import { timing } from '../../core/limits.ts';
import type { Priority } from '../../core/priority.ts';
import { type QueueRef, queueKey } from '../../core/queue-ref.ts';
import type { AwsEngine } from '../../engines/aws/index.ts';
import { type CorrectedClock, correctedClock } from '../../platform/corrected-clock.ts';
import type { Log } from '../../ports/log.ts';
import type { QueueSetting, QueueSettings } from '../../service/admin/queue-settings.ts';
import type { OpenedStore, StoreOptions } from './opened.ts';

/** A DynamoDB table and SQS queues that `holdfast aws init` created. */
export interface AwsStore {
  readonly table: string;
  /** The prefix of the names of the SQS queues. Default: the table's name. */
  readonly queuePrefix?: string | undefined;
  /** The AWS region. Default: the region that the AWS SDK finds. */
  readonly region?: string | undefined;
  /** The URL of DynamoDB. Default: AWS's own endpoint of the region. */
  readonly endpointDynamodb?: string | undefined;
  /** The URL of SQS. Default: AWS's own endpoint of the region. */
  readonly endpointSqs?: string | undefined;
}

/** Loads the AWS engine. The AWS SDK is an optional dependency, so it may not be installed. */
export async function loadAws(): Promise<typeof import('../../engines/aws/index.ts')> {
  try {
    return await import('../../engines/aws/index.ts');
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code !== 'ERR_MODULE_NOT_FOUND' || !message.includes('@aws-sdk/')) throw thrown;
    throw new HoldfastError(
      'FAILED_PRECONDITION',
      'BAD_CONFIGURATION',
      'The AWS SDK is not installed here.',
      {
        cause: thrown,
        help: 'Run `npm install @aws-sdk/client-dynamodb @aws-sdk/client-sqs`.',
      },
    );
  }
}

/**
 * Returns the configuration of the AWS SDK's clients for a store. The SDK itself finds a region or an endpoint that is
 * absent.
 */
export function awsClients({ region, endpointDynamodb, endpointSqs }: AwsStore) {
  const common = region === undefined ? {} : { region };
  return {
    dynamodb: { ...common, ...(endpointDynamodb && { endpoint: endpointDynamodb }) },
    // A stand-in for SQS may return queue URLs with another host than the endpoint.
    sqs: { ...common, ...(endpointSqs && { endpoint: endpointSqs, useQueueUrlAsEndpoint: false }) },
  };
}

/** Returns the endpoint of the store's DynamoDB table, for errors that name the endpoint. */
export function tableEndpoint({ region, endpointDynamodb: endpoint }: AwsStore) {
  return { service: 'DynamoDB', region, endpoint } as const;
}

/** Returns the endpoint of the store's SQS queues, for errors that name the endpoint. */
export function queuesEndpoint({ region, endpointSqs: endpoint }: AwsStore) {
  return { service: 'SQS', region, endpoint } as const;
}

export async function openAws(store: AwsStore, options: StoreOptions): Promise<OpenedStore> {
  const { clock: machine, log } = options;
  const { aws, asStartError, ensureReadable, ensureRegion } = await loadAws();
  const clients = awsClients(store);
  await ensureRegion(clients.dynamodb);
  const clock = correctedClock(machine);
  let settings: QueueSettings | undefined;
  // The enabled priorities of each queue when this process first used the queue. The process polls the SQS queues of
  // these priorities until it ends.
  const knownPriorities = new Map<string, readonly Priority[]>();
  const prioritiesOf = (queue: QueueRef): readonly Priority[] => {
    const name = queueKey(queue);
    if (!knownPriorities.has(name) && settings?.has(queue))
      knownPriorities.set(name, settings.of(queue).priorities ?? []);
    return knownPriorities.get(name) ?? [];
  };
  const engine = aws({
    table: store.table,
    prefix: store.queuePrefix,
    clock,
    timekeeper: clock,
    log,
    tracing: options.tracing,
    prioritiesOf,
    requests: options.requests,
    nameFormOf: (queue) => (settings?.has(queue) === true ? (settings.of(queue).nameForm ?? 1) : 2),
    ...clients,
  });
  clock.onFitness(() => logFitness(clock, log));
  return {
    engine,
    engineName: 'aws',
    clock,
    corrected: clock,
    createQueues: false,
    check: () => checkIndexes(engine, clock.now()),
    checkSchema: () => checkSchema(() => ensureReadable(engine.registry, store.table)),
    startError: (thrown) => asStartError(thrown, tableEndpoint(store)),
    drainMs: timing.drainMs,
    duties: { fitness: () => ({ fit: clock.fit, clockOffsetMs: clock.offsetMs }) },
    onQueueSettings: (queues) => {
      settings = queues;
      const own = (options.queues ?? queues.all()).filter((queue) => queues.has(queue));
      void logMissingQueues(engine, own.map(queues.of, queues), log, (thrown) =>
        asStartError(thrown, queuesEndpoint(store)),
      );
    },
  };
}

/**
 * Reads a row of each index, so that a server does not start on a table whose keys or indexes are not those of Holdfast. Any
 * other failure is left to the calls that follow.
 *
 * @throws HoldfastError FAILED_PRECONDITION, reason BAD_CONFIGURATION.
 */
async function checkIndexes({ store }: AwsEngine, nowMs: number): Promise<void> {
  const none = { tenant: 'default', queue: 'default', acceptedFromMs: nowMs, acceptedUntilMs: nowMs + 1 };
  const page = { limit: 1, cursor: undefined, nowMs };
  const reads = [store.due(0, 0, 1), store.list(none, page), store.list({ ...none, state: 'dead' }, page)];
  for (const read of await Promise.allSettled<unknown>(reads)) {
    if (read.status !== 'rejected') continue;
    if (read.reason instanceof HoldfastError && read.reason.reason === 'BAD_CONFIGURATION') throw read.reason;
  }
}

/** Passes on that the data are of a newer version; any other failure is left to the calls that follow. */
async function checkSchema(check: () => Promise<void>): Promise<void> {
  try {
    await check();
  } catch (thrown) {
    if (thrown instanceof HoldfastError && thrown.reason === 'SCHEMA_NEWER') throw thrown;
  }
}

/**
 * Logs an error for each Holdfast queue that has no SQS queue. The check runs in the background, so that a missing queue
 * or an SQS that does not answer does not keep the process from starting.
 */
async function logMissingQueues(
  { broker }: AwsEngine,
  queues: readonly QueueSetting[],
  log: Log,
  errorOf: (thrown: unknown) => unknown,
): Promise<void> {
  try {
    await broker.lookUp(queues, ({ tenant, queue, name: sqs_queue, help }) =>
      log.error(
        { tenant, queue, sqs_queue, help },
        'a queue has no SQS queue: its tasks are not given to workers',
      ),
    );
  } catch (thrown) {
    log.error({ err: errorOf(thrown) }, 'the SQS queues could not be looked up at the start');
  }
}

function logFitness({ fit, offsetMs: clock_offset_ms }: CorrectedClock, log: Log): void {
  if (fit) log.info({ clock_offset_ms }, 'the clock is right again: the node sweeps and assigns tasks again');
  else {
    const message =
      'this machine’s clock is more than 2 s off AWS’s: the node sweeps nothing, assigns no tasks and is not ready';
    log.error(
      { clock_offset_ms, help: 'Let the clock follow a time service (chrony with 169.254.169.123 on AWS).' },
      message,
    );
  }
}
