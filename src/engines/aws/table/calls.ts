import {
  BatchGetItemCommand,
  type CancellationReason,
  type ConsumedCapacity,
  DeleteItemCommand,
  type DeleteItemCommandInput,
  type DynamoDBClient,
  PutItemCommand,
  type PutItemCommandInput,
  QueryCommand,
  type QueryCommandInput,
  TransactGetItemsCommand,
  type TransactWriteItem,
  TransactWriteItemsCommand,
  UpdateItemCommand,
  type UpdateItemCommandInput,
} from '@aws-sdk/client-dynamodb';
import { delayMs } from '../../../core/backoff.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { CallPriority } from '../load/concurrency-limiter.ts';
import type { Dependency } from '../load/dependency.ts';
import { isThrottle } from '../sdk/error-names.ts';
import {
  asStoreError,
  currentItemIn,
  errorKindOf,
  reasonsIn,
  storeClosed,
  storeContended,
  storeThrottled,
} from '../sdk/errors.ts';
import { ItemsByKey, keyText } from './items-by-key.ts';
import { type CallKind, largerOf, type Meter } from './meter.ts';
import type { Item, Key } from './schema/keys.ts';

/** Result of a conditional write to DynamoDB. `current` is the stored item that made the condition fail. */
export type WriteResult =
  | { readonly ok: true; readonly item: Item | undefined }
  | { readonly ok: false; readonly current: Item | undefined; readonly cause: Error };

/**
 * Result of a DynamoDB transaction. A refused transaction has a reason for each of its items; the reason's `Code` is
 * `None` if the condition of that item held.
 */
export type TransactionResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly reasons: readonly CancellationReason[]; readonly cause: Error };

type WithoutTable<T> = Omit<
  T,
  'TableName' | 'ReturnConsumedCapacity' | 'ReturnValuesOnConditionCheckFailure'
>;

/**
 * Maximum number of tries of a request after transaction conflicts or incomplete batch reads. The AWS SDK retries
 * neither.
 */
const mostTries = 8;
/**
 * Maximum number of tries of a transaction that was cancelled by throttling: as many as the AWS SDK makes for other
 * requests.
 */
const mostThrottledTries = 4;
/**
 * The backoff exponent at which retries of a throttled transaction start, so that they wait about as long as the AWS
 * SDK waits.
 */
const throttledBackoffFrom = 4;
const conflictBackoff = { firstMs: 20, longestMs: 1_000 } as const;
const batchKeys = 100;

/**
 * Default priority of each kind of DynamoDB call. A claim is sent as an `append` call, but its caller passes the
 * priority `claim`.
 */
const priorities: Readonly<Record<CallKind, CallPriority>> = {
  renew: 'lease',
  append: 'lease',
  registry: 'lease',
  read: 'claim',
  lane: 'claim',
  accept: 'submit',
  list: 'background',
  due: 'background',
  table: 'background',
};

const common = { ReturnConsumedCapacity: 'INDEXES', ReturnValuesOnConditionCheckFailure: 'ALL_OLD' } as const;

/**
 * Two AWS SDK clients for one DynamoDB table. Calls about leases use a client of their own, so that submissions cannot
 * use up the retry budget of these calls.
 */
export interface TableClients {
  readonly leases: DynamoDBClient;
  readonly others: DynamoDBClient;
}

/**
 * Sends all requests of the AWS engine to its DynamoDB table; none of the requests scans the table. The SDK retries
 * throttled requests, this class retries transaction conflicts. Every error thrown is a HoldfastError.
 */
export class TableCalls {
  readonly table: string;
  readonly meter: Meter;
  readonly #clients: TableClients;
  readonly #load: Dependency;
  readonly #clock: Clock;
  #inFlight = 0;
  #closed = false;
  #idle: (() => void) | undefined;

  constructor(clients: TableClients, load: Dependency, table: string, clock: Clock, meter: Meter) {
    this.#clients = clients;
    this.#load = load;
    this.table = table;
    this.#clock = clock;
    this.meter = meter;
  }

  /** Rejects every later call to the table, and resolves when the calls in flight have ended. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#inFlight === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }

  /**
   * Runs work that consists of several calls to the table. `close` waits for work in progress and rejects new work.
   */
  async during<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw storeClosed();
    this.#inFlight++;
    try {
      return await work();
    } finally {
      this.#inFlight--;
      if (this.#inFlight === 0) this.#idle?.();
    }
  }

  put(kind: CallKind, input: WithoutTable<PutItemCommandInput>): Promise<WriteResult> {
    const command = new PutItemCommand({ TableName: this.table, ...common, ...input });
    const send = () => this.#send(priorities[kind], (client) => client.send(command));
    return this.#write(kind, send, input.Item);
  }

  update(
    kind: CallKind,
    input: WithoutTable<UpdateItemCommandInput>,
    callPriority = priorities[kind],
  ): Promise<WriteResult> {
    const command = new UpdateItemCommand({ TableName: this.table, ...common, ...input });
    return this.#write(kind, () => this.#send(callPriority, (client) => client.send(command)));
  }

  delete(kind: CallKind, input: WithoutTable<DeleteItemCommandInput>): Promise<WriteResult> {
    const command = new DeleteItemCommand({ TableName: this.table, ...common, ...input });
    return this.#write(kind, () => this.#send(priorities[kind], (client) => client.send(command)));
  }

  /** Reads one page of a DynamoDB query. */
  async query(
    kind: CallKind,
    input: WithoutTable<QueryCommandInput>,
  ): Promise<{ items: Item[]; next: Item | undefined }> {
    const command = new QueryCommand({ TableName: this.table, ReturnConsumedCapacity: 'INDEXES', ...input });
    const response = await this.#read(kind, (client) => client.send(command));
    this.meter.recordResponse(kind, [response.ConsumedCapacity], true);
    return { items: response.Items ?? [], next: response.LastEvaluatedKey };
  }

  /** Reads DynamoDB items by their keys, in batches of 100. A key may be given more than once. */
  async get(kind: CallKind, keys: readonly Key[], consistent: boolean): Promise<ItemsByKey> {
    const found = new ItemsByKey();
    const different = [...new Map(keys.map((key) => [keyText(key), key])).values()];
    const parts: Promise<void>[] = [];
    for (let from = 0; from < different.length; from += batchKeys) {
      parts.push(this.#getPart(kind, different.slice(from, from + batchKeys), consistent, found));
    }
    await Promise.all(parts);
    return found;
  }

  /**
   * Reads items in one DynamoDB transaction, at twice the price of `get`. No write transaction is seen in part: an item of
   * one that is in progress is a conflict, after which the read is tried again.
   */
  transactGet(kind: CallKind, keys: readonly Key[]): Promise<ItemsByKey> {
    const command = new TransactGetItemsCommand({
      TransactItems: keys.map((key) => ({ Get: { TableName: this.table, Key: { ...key } } })),
      ReturnConsumedCapacity: 'INDEXES',
    });
    return this.#inTransaction(kind, async () => {
      const response = await this.#send(priorities[kind], (client) => client.send(command));
      this.meter.recordResponse(kind, response.ConsumedCapacity ?? [], true);
      const found = new ItemsByKey();
      for (const { Item } of response.Responses ?? []) if (Item !== undefined) found.add(Item);
      return found;
    });
  }

  /**
   * Writes all items in one DynamoDB transaction, or none of them. Retries after conflicts with other transactions.
   */
  transact(kind: CallKind, items: readonly TransactWriteItem[]): Promise<TransactionResult> {
    const command = new TransactWriteItemsCommand({
      TransactItems: items.map((item) => this.#inTable(item)),
      ClientRequestToken: this.#clock.uuid(),
      ReturnConsumedCapacity: 'INDEXES',
    });
    return this.#inTransaction<TransactionResult>(
      kind,
      async () => {
        const response = await this.#send(priorities[kind], (client) => client.send(command));
        this.meter.recordResponse(kind, response.ConsumedCapacity ?? [], false);
        return { ok: true };
      },
      (reasons, cause) => {
        this.#recordRefusedTransaction(kind, items, reasons);
        return { ok: false, reasons, cause };
      },
    );
  }

  /**
   * Sends a transaction again after conflicts and throttles. `refused` returns the result if a condition failed, which
   * cannot happen to a transaction that reads.
   */
  async #inTransaction<T>(
    kind: CallKind,
    send: () => Promise<T>,
    refused?: (reasons: readonly CancellationReason[], cause: Error) => T,
  ): Promise<T> {
    for (let i = 0; ; i++) {
      try {
        return await send();
      } catch (thrown) {
        const failure = errorKindOf(thrown);
        const reasons = failure === 'cancelled' ? reasonsIn(thrown) : [];
        const isRefused = reasons.some((reason) => reason.Code === 'ConditionalCheckFailed');
        if (isRefused && refused !== undefined) return refused(reasons, thrown as Error);
        const isRetryable = failure === 'conflict' || (failure === 'cancelled' && reasons.every(isTransient));
        const most = reasons.some(isThrottled) ? mostThrottledTries : mostTries;
        if (!isRetryable || i + 1 >= most) throw isRetryable ? asBusy(thrown, reasons) : this.#error(thrown);
        await this.pause(kind, reasons.some(isThrottled) ? i + throttledBackoffFrom : i);
      }
    }
  }

  /** Sends a request through the concurrency limiter. Requests about leases use an SDK client of their own. */
  #send<T>(callPriority: CallPriority, send: (client: DynamoDBClient) => Promise<T>): Promise<T> {
    const { leases, others } = this.#clients;
    return this.#load.limiter.run(callPriority, () => send(callPriority === 'lease' ? leases : others));
  }

  /** Waits before the next try of a DynamoDB request, with exponential backoff and full jitter. */
  async pause(kind: CallKind, i: number): Promise<void> {
    this.meter.of(kind).retries++;
    await this.#clock.sleep(this.#clock.random() * delayMs(conflictBackoff, i));
  }

  /** Records the cost of a refused transaction: double for every item in it, whichever condition failed. */
  #recordRefusedTransaction(
    kind: CallKind,
    items: readonly TransactWriteItem[],
    reasons: readonly CancellationReason[],
  ): void {
    this.meter.recordResponse(kind, [], false);
    this.meter.recordFailedCondition(
      kind,
      items.map((item, i) => largerOf(reasons[i]?.Item, item.Put?.Item)),
      2,
    );
  }

  #inTable(item: TransactWriteItem): TransactWriteItem {
    const named = <T extends object>(one: T | undefined): T | undefined =>
      one && { ReturnValuesOnConditionCheckFailure: 'ALL_OLD', ...one, TableName: this.table };
    return {
      ConditionCheck: named(item.ConditionCheck),
      Put: named(item.Put),
      Delete: named(item.Delete),
      Update: named(item.Update),
    };
  }

  async #write(
    kind: CallKind,
    send: () => Promise<{ Attributes?: Item | undefined; ConsumedCapacity?: ConsumedCapacity | undefined }>,
    newItem?: Item,
  ): Promise<WriteResult> {
    for (let i = 0; ; i++) {
      try {
        const response = await send();
        this.meter.recordResponse(kind, [response.ConsumedCapacity], false);
        return { ok: true, item: response.Attributes };
      } catch (thrown) {
        const failure = errorKindOf(thrown);
        if (failure === 'condition') {
          const current = currentItemIn(thrown);
          this.meter.recordResponse(kind, [], false);
          this.meter.recordFailedCondition(kind, [largerOf(current, newItem)]);
          return { ok: false, current, cause: thrown as Error };
        }
        if (failure !== 'conflict' || i + 1 >= mostTries) throw this.#error(thrown);
        await this.pause(kind, i);
      }
    }
  }

  async #getPart(kind: CallKind, keys: readonly Key[], consistent: boolean, into: ItemsByKey): Promise<void> {
    let unreadKeys: Item[] = keys.map((key) => ({ ...key }));
    for (let i = 0; unreadKeys.length > 0; ) {
      const command = new BatchGetItemCommand({
        RequestItems: { [this.table]: { Keys: unreadKeys, ConsistentRead: consistent } },
        ReturnConsumedCapacity: 'INDEXES',
      });
      const response = await this.#read(kind, (client) => client.send(command));
      this.meter.recordResponse(kind, response.ConsumedCapacity ?? [], true);
      for (const item of response.Responses?.[this.table] ?? []) into.add(item);
      const unprocessed = response.UnprocessedKeys?.[this.table]?.Keys ?? [];
      if (unprocessed.length === unreadKeys.length) {
        if (++i >= mostTries) throw storeThrottled();
        await this.pause(kind, i);
      }
      unreadKeys = unprocessed;
    }
  }

  async #read<T>(kind: CallKind, send: (client: DynamoDBClient) => Promise<T>): Promise<T> {
    try {
      return await this.#send(priorities[kind], send);
    } catch (thrown) {
      throw this.#error(thrown);
    }
  }

  #error(thrown: unknown): Error {
    return asStoreError(thrown, this.table);
  }
}

function isThrottled({ Code }: CancellationReason): boolean {
  return isThrottle(Code);
}

function isTransient(reason: CancellationReason): boolean {
  return reason.Code === 'None' || reason.Code === 'TransactionConflict' || isThrottled(reason);
}

function asBusy(thrown: unknown, reasons: readonly CancellationReason[]): Error {
  const conflict = reasons.length === 0 || reasons.some(({ Code }) => Code === 'TransactionConflict');
  return conflict ? storeContended('one item', thrown) : storeThrottled(thrown);
}
