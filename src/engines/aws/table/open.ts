import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import type { Clock } from '../../../ports/clock.ts';
import { type Log, silentLog } from '../../../ports/log.ts';
import type { Registry } from '../../../ports/registry.ts';
import type { TaskStore } from '../../../ports/task-store.ts';
import { Dependency } from '../load/dependency.ts';
import { instrument } from '../load/instrument-client.ts';
import { TableCalls } from './calls.ts';
import type { AwsContext } from './context.ts';
import { KnownTasks } from './items/known-tasks.ts';
import { Nonces } from './items/nonces.ts';
import { KeyedMutex } from './keyed-mutex.ts';
import { Meter } from './meter.ts';
import { createRegistry } from './registry.ts';
import { Shards } from './schema/shards.ts';
import { AwsTaskStore } from './task-store.ts';

export interface TableOptions {
  /** Name of the table, at least 3 characters. */
  readonly table: string;
  readonly clock: Clock;
  readonly log?: Log | undefined;
  /** Region, endpoint, credentials; what is absent is found as the SDK finds it. */
  readonly client?: DynamoDBClientConfig | undefined;
}

/** The store and the registry on one table, without bells. */
export interface TableParts {
  readonly store: TaskStore;
  readonly registry: Registry;
  readonly client: DynamoDBClient;
  /** Both that are written through: leases have one of their own, with its budget of retries. */
  readonly clients: readonly DynamoDBClient[];
  /** What the calls so far consumed. */
  readonly meter: Meter;
  /** How it goes with the table. */
  readonly load: Dependency;
  /** Finishes what is under way. Idempotent. */
  close(): Promise<void>;
}

const connectMs = 1_000;
/** No call of ours takes so long; an answer that is later is taken for lost, and the call is sent again. */
const answerMs = 5_000;
const sockets = 256;

/**
 * A client as this engine needs it: throttled and lost requests are sent again by the SDK, four times at most, and by
 * nobody above it.
 */
export function tableClient(config: DynamoDBClientConfig = {}): DynamoDBClient {
  return new DynamoDBClient({
    retryMode: 'standard',
    maxAttempts: 4,
    requestHandler: {
      connectionTimeout: connectMs,
      requestTimeout: answerMs,
      throwOnRequestTimeout: true,
      httpAgent: { maxSockets: sockets },
      httpsAgent: { maxSockets: sockets },
    },
    ...config,
  });
}

export function openTable(options: TableOptions): TableParts {
  const { table, clock, log = silentLog } = options;
  const load = new Dependency('table', clock, log);
  const client = instrument(tableClient(options.client), load);
  const leases = instrument(tableClient(options.client), load);
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
    known: new KnownTasks(),
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
