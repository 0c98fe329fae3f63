import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import type { Clock } from '../../../ports/clock.ts';
import { type Log, silentLog } from '../../../ports/log.ts';
import type { RequestObserver } from '../../../ports/metrics.ts';
import type { Registry } from '../../../ports/registry.ts';
import type { TaskStore } from '../../../ports/task-store.ts';
import { Dependency } from '../load/dependency.ts';
import { instrument } from '../load/instrument-client.ts';
import { placeOfWrite } from '../load/place-of-write.ts';
import { TableCalls } from './calls.ts';
import type { AwsContext } from './context.ts';
import { KnownTasks } from './items/known-tasks.ts';
import { Nonces } from './items/nonces.ts';
import { KeyedMutex } from './keyed-mutex.ts';
import { Meter } from './meter.ts';
import { FirstPlaces } from './read/first-places.ts';
import { createRegistry } from './registry.ts';
import { Shards } from './schema/shards.ts';
import { AwsTaskStore } from './task-store.ts';

export interface TableOptions {
  /** Name of the DynamoDB table, at least 3 characters. */
  readonly table: string;
  readonly clock: Clock;
  readonly log?: Log | undefined;
  /** Region, endpoint and credentials for DynamoDB. The SDK takes absent values from its default sources. */
  readonly client?: DynamoDBClientConfig | undefined;
  readonly requests?: RequestObserver | undefined;
}

/** The task store and the registry on one DynamoDB table, without a broker. */
export interface TableParts {
  readonly store: TaskStore;
  readonly registry: Registry;
  readonly client: DynamoDBClient;
  /**
   * Both DynamoDB clients: one for calls about leases, with a retry budget of its own, and one for all other calls.
   */
  readonly clients: readonly DynamoDBClient[];
  /** Requests and capacity units that the calls to the table have used so far. */
  readonly meter: Meter;
  /** State of the DynamoDB table as its calls show it: throttled calls, failed calls and the circuit breaker. */
  readonly load: Dependency;
  /** Waits for the calls in flight, then closes both DynamoDB clients. Idempotent. */
  close(): Promise<void>;
}

const connectTimeoutMs = 1_000;
/**
 * Request timeout of DynamoDB calls in ms. If the response takes longer, it counts as lost and the SDK sends the
 * request again. No request of the AWS engine normally takes that long.
 */
const responseTimeoutMs = 5_000;
const mostSockets = 256;

/**
 * Creates a DynamoDB client with the settings that the AWS engine needs. The client sends throttled and unanswered
 * requests again, four requests in all, and no layer above the client repeats them.
 */
export function tableClient(config: DynamoDBClientConfig = {}): DynamoDBClient {
  return new DynamoDBClient({
    retryMode: 'standard',
    maxAttempts: 4,
    requestHandler: {
      connectionTimeout: connectTimeoutMs,
      requestTimeout: responseTimeoutMs,
      throwOnRequestTimeout: true,
      httpAgent: { maxSockets: mostSockets },
      httpsAgent: { maxSockets: mostSockets },
    },
    ...config,
  });
}

export function openTable(options: TableOptions): TableParts {
  const { table, clock, log = silentLog } = options;
  const load = new Dependency('table', clock, log);
  const observed = { clock, requests: options.requests, placeOf: placeOfWrite };
  const client = instrument(tableClient(options.client), load, observed);
  const leases = instrument(tableClient(options.client), load, observed);
  const meter = new Meter();
  const calls = new TableCalls({ leases, others: client }, load, table, clock, meter);
  const nonces = new Nonces(clock);
  const registry = createRegistry({ calls, nonces });
  const context: AwsContext = {
    calls,
    clock,
    log,
    shards: new Shards(registry, clock, log),
    nonces,
    knownTasks: new KnownTasks(),
    firstPlaces: new FirstPlaces(() => clock.monotonic()),
    mutex: new KeyedMutex(),
  };
  let closing: Promise<void> | undefined;
  return {
    store: new AwsTaskStore(context),
    registry,
    client,
    clients: [client, leases],
    meter,
    load,
    close() {
      closing ??= calls.close().then(() => {
        client.destroy();
        leases.destroy();
      });
      return closing;
    },
  };
}
