/** The engine aws as a node needs it: its clock measured, its SDK loaded only where it is asked for. */
import { HoldfastError } from '../../core/errors.ts';
import { timing } from '../../core/limits.ts';
import type { Priority } from '../../core/submission/submission.ts';
import type { AwsEngine } from '../../engines/aws/index.ts';
import { type CorrectedClock, correctedClock } from '../../platform/corrected-clock.ts';
import type { Log } from '../../ports/log.ts';
import type { QueueRef } from '../../ports/task-store.ts';
import type { QueueSetting, QueueSettings } from '../../service/admin/queue-settings.ts';
import type { EngineChoice, OpenedStore } from './opened.ts';

/** A DynamoDB table and SQS queues, which `holdfast aws init` made. */
export interface AwsStore {
  readonly table: string;
  /** What the names of the SQS queues begin with. Default: the table's name. */
  readonly queuePrefix?: string | undefined;
  /** Default: as the AWS SDK finds it. */
  readonly region?: string | undefined;
  /** In place of AWS's own. */
  readonly endpointDynamodb?: string | undefined;
  readonly endpointSqs?: string | undefined;
}

/** Loaded when it is asked for: the AWS SDK is installed by those who use it. */
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

/** How the clients of the AWS SDK are configured for a store; what is absent they find by themselves. */
export function awsClients({ region, endpointDynamodb, endpointSqs }: AwsStore) {
  const common = region === undefined ? {} : { region };
  return {
    dynamodb: { ...common, ...(endpointDynamodb && { endpoint: endpointDynamodb }) },
    // Whoever stands in for SQS gives URLs of its own notion.
    sqs: { ...common, ...(endpointSqs && { endpoint: endpointSqs, useQueueUrlAsEndpoint: false }) },
  };
}

/** Where its table is looked for, and its queues: for whoever is told that nobody answers there. */
export function tablePlace({ region, endpointDynamodb: endpoint }: AwsStore) {
  return { service: 'DynamoDB', region, endpoint } as const;
}

export function queuesPlace({ region, endpointSqs: endpoint }: AwsStore) {
  return { service: 'SQS', region, endpoint } as const;
}

export async function openAws(store: AwsStore, choice: EngineChoice): Promise<OpenedStore> {
  const { clock: machine, log } = choice;
  const { aws, asStartError, ensureRegion } = await loadAws();
  const clients = awsClients(store);
  await ensureRegion(clients.dynamodb);
  const clock = correctedClock(machine);
  let settings: QueueSettings | undefined;
  // As they were when this process met the queue: what listens to it listens to these until it ends.
  const met = new Map<string, readonly Priority[]>();
  const prioritiesOf = (queue: QueueRef): readonly Priority[] => {
    const name = `${queue.tenant}/${queue.queue}`;
    if (!met.has(name) && settings?.has(queue)) met.set(name, settings.of(queue).priorities ?? []);
    return met.get(name) ?? [];
  };
  const engine = aws({
    table: store.table,
    prefix: store.queuePrefix,
    clock,
    timekeeper: clock,
    log,
    prioritiesOf,
    ...clients,
  });
  clock.onFitness(() => tellFitness(clock, log));
  return {
    engine,
    clock,
    corrected: clock,
    createQueues: false,
    startError: (thrown) => asStartError(thrown, tablePlace(store)),
    drainMs: timing.drainAwsMs,
    duties: { fitness: () => ({ fit: clock.fit, clockOffsetMs: clock.offsetMs }) },
    learn: (queues) => {
      settings = queues;
      const own = (choice.queues ?? queues.all()).filter((queue) => queues.has(queue));
      void tellMissing(engine, own.map(queues.of, queues), log, (thrown) =>
        asStartError(thrown, queuesPlace(store)),
      );
    },
  };
}

/** In the background: queues that are not there yet, or an SQS that is away, keep nobody from starting. */
async function tellMissing(
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

function tellFitness({ fit, offsetMs: clock_offset_ms }: CorrectedClock, log: Log): void {
  if (fit) log.info({ clock_offset_ms }, 'the clock is right again: this node takes its share again');
  else {
    const what = 'this machine’s clock is more than 2 s off AWS’s: the node stops sweeping and is not ready';
    log.error(
      { clock_offset_ms, help: 'Let it follow a time service (chrony with 169.254.169.123 on AWS).' },
      what,
    );
  }
}
