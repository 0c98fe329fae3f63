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
  type TransactWriteItem,
  TransactWriteItemsCommand,
  UpdateItemCommand,
  type UpdateItemCommandInput,
} from '@aws-sdk/client-dynamodb';
import type { Clock } from '../../../ports/clock.ts';
import type { CallPriority } from '../load/concurrency-limiter.ts';
import type { Dependency } from '../load/dependency.ts';
import { isThrottle } from '../sdk/error-names.ts';
import {
  asStoreError,
  currentItemIn,
  failureOf,
  reasonsIn,
  storeClosed,
  storeContended,
  storeThrottled,
} from '../sdk/errors.ts';
import { Found, keyText } from './found.ts';
import { type CallKind, largerOf, type Meter } from './meter.ts';
import type { Item, Key } from './schema/keys.ts';

/** A write under a condition: done, or what stood in its way. */
export type Written =
  | { readonly ok: true; readonly item: Item | undefined }
  | { readonly ok: false; readonly current: Item | undefined; readonly cause: Error };

/** A transaction under conditions: done, or per item why not (`code` is None where it would have been done). */
export type Transacted =
  | { readonly ok: true }
  | { readonly ok: false; readonly reasons: readonly CancellationReason[]; readonly cause: Error };

type WithoutTable<T> = Omit<
  T,
  'TableName' | 'ReturnConsumedCapacity' | 'ReturnValuesOnConditionCheckFailure'
>;

/** Our retries of what the SDK never sends again: conflicts of transactions, and parts of a batch that were left. */
const tries = 8;
/** A transaction that was cancelled for a throttle: as often, and about as late, as the SDK sends other requests. */
const throttledTries = 4;
const throttledFrom = 4;
const baseMs = 20;
const longestMs = 1_000;
const batchKeys = 100;

/** What a call is for says whose turn it is. Claims are appended too, and say so themselves. */
const urgencies: Readonly<Record<CallKind, CallPriority>> = {
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

const always = { ReturnConsumedCapacity: 'INDEXES', ReturnValuesOnConditionCheckFailure: 'ALL_OLD' } as const;

/** Two clients of one table, so that submissions cannot spend the SDK's budget of retries that leases need. */
export interface TableClients {
  readonly leases: DynamoDBClient;
  readonly others: DynamoDBClient;
}

/**
 * The requests that this engine makes of its table, and no others: there is no scan. Throttled requests are sent
 * again by the SDK, conflicts of transactions here. Whatever is thrown is a HoldfastError.
 */
export class TableCalls {
  readonly table: string;
  readonly meter: Meter;
  readonly #clients: TableClients;
  readonly #load: Dependency;
  readonly #clock: Clock;
  #going = 0;
  #closed = false;
  #idle: (() => void) | undefined;

  constructor(clients: TableClients, load: Dependency, table: string, clock: Clock, meter: Meter) {
    this.#clients = clients;
    this.#load = load;
    this.table = table;
    this.#clock = clock;
    this.meter = meter;
  }

  /** Fails every call from now on; resolves when those under way are done. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#going === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }

  /** For a piece of work of several calls: begun before the end, it is finished. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw storeClosed();
    this.#going++;
    try {
      return await work();
    } finally {
      this.#going--;
      if (this.#going === 0) this.#idle?.();
    }
  }

  put(kind: CallKind, input: WithoutTable<PutItemCommandInput>): Promise<Written> {
    const command = new PutItemCommand({ TableName: this.table, ...always, ...input });
    const send = () => this.#send(urgencies[kind], (client) => client.send(command));
    return this.#write(kind, send, input.Item);
  }

  update(
    kind: CallKind,
    input: WithoutTable<UpdateItemCommandInput>,
    callPriority = urgencies[kind],
  ): Promise<Written> {
    const command = new UpdateItemCommand({ TableName: this.table, ...always, ...input });
    return this.#write(kind, () => this.#send(callPriority, (client) => client.send(command)));
  }

  delete(kind: CallKind, input: WithoutTable<DeleteItemCommandInput>): Promise<Written> {
    const command = new DeleteItemCommand({ TableName: this.table, ...always, ...input });
    return this.#write(kind, () => this.#send(urgencies[kind], (client) => client.send(command)));
  }

  /** One page of a query. */
  async query(
    kind: CallKind,
    input: WithoutTable<QueryCommandInput>,
  ): Promise<{ items: Item[]; next: Item | undefined }> {
    const command = new QueryCommand({ TableName: this.table, ReturnConsumedCapacity: 'INDEXES', ...input });
    const answer = await this.#told(() => this.#send(urgencies[kind], (client) => client.send(command)));
    this.meter.answered(kind, [answer.ConsumedCapacity], true);
    return { items: answer.Items ?? [], next: answer.LastEvaluatedKey };
  }

  /** Any number of keys, each once or more often. */
  async get(kind: CallKind, keys: readonly Key[], consistent: boolean): Promise<Found> {
    const found = new Found();
    const different = [...new Map(keys.map((key) => [keyText(key), key])).values()];
    const parts: Promise<void>[] = [];
    for (let from = 0; from < different.length; from += batchKeys) {
      parts.push(this.#getPart(kind, different.slice(from, from + batchKeys), consistent, found));
    }
    await Promise.all(parts);
    return found;
  }

  /** All or nothing. Conflicts with others that are under way are waited out. */
  async transact(kind: CallKind, items: readonly TransactWriteItem[]): Promise<Transacted> {
    const command = new TransactWriteItemsCommand({
      TransactItems: items.map((item) => this.#inTable(item)),
      ClientRequestToken: this.#clock.uuid(),
      ReturnConsumedCapacity: 'INDEXES',
    });
    for (let i = 0; ; i++) {
      try {
        const answer = await this.#send(urgencies[kind], (client) => client.send(command));
        this.meter.answered(kind, answer.ConsumedCapacity ?? [], false);
        return { ok: true };
      } catch (thrown) {
        const failure = failureOf(thrown);
        const reasons = failure === 'cancelled' ? reasonsIn(thrown) : [];
        if (reasons.some((reason) => reason.Code === 'ConditionalCheckFailed')) {
          this.#refusedTransaction(kind, items, reasons);
          return { ok: false, reasons, cause: thrown as Error };
        }
        const mayPass = failure === 'conflict' || (failure === 'cancelled' && reasons.every(passes));
        const most = reasons.some(isThrottled) ? throttledTries : tries;
        if (!mayPass || i + 1 >= most) throw mayPass ? asBusy(thrown, reasons) : this.#error(thrown);
        await this.pause(kind, reasons.some(isThrottled) ? i + throttledFrom : i);
      }
    }
  }

  /** In its turn. What leases need has a client of its own. */
  #send<T>(callPriority: CallPriority, send: (client: DynamoDBClient) => Promise<T>): Promise<T> {
    const { leases, others } = this.#clients;
    return this.#load.limiter.run(callPriority, () => send(callPriority === 'lease' ? leases : others));
  }

  /** A wait before a try that follows a lost race, with full jitter. */
  async pause(kind: CallKind, i: number): Promise<void> {
    this.meter.of(kind).retries++;
    await this.#clock.sleep(this.#clock.random() * Math.min(longestMs, baseMs * 2 ** i));
  }

  /** Charged twice for every item that took part, whichever of them was the reason. */
  #refusedTransaction(
    kind: CallKind,
    items: readonly TransactWriteItem[],
    reasons: readonly CancellationReason[],
  ): void {
    this.meter.answered(kind, [], false);
    this.meter.conditionFailed(
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
    asked?: Item,
  ): Promise<Written> {
    for (let i = 0; ; i++) {
      try {
        const answer = await send();
        this.meter.answered(kind, [answer.ConsumedCapacity], false);
        return { ok: true, item: answer.Attributes };
      } catch (thrown) {
        const failure = failureOf(thrown);
        if (failure === 'condition') {
          const current = currentItemIn(thrown);
          this.meter.answered(kind, [], false);
          this.meter.conditionFailed(kind, [largerOf(current, asked)]);
          return { ok: false, current, cause: thrown as Error };
        }
        if (failure !== 'conflict' || i + 1 >= tries) throw this.#error(thrown);
        await this.pause(kind, i);
      }
    }
  }

  async #getPart(kind: CallKind, keys: readonly Key[], consistent: boolean, found: Found): Promise<void> {
    let left: Item[] = keys.map((key) => ({ ...key }));
    for (let i = 0; left.length > 0; ) {
      const command = new BatchGetItemCommand({
        RequestItems: { [this.table]: { Keys: left, ConsistentRead: consistent } },
        ReturnConsumedCapacity: 'INDEXES',
      });
      const answer = await this.#told(() => this.#send(urgencies[kind], (client) => client.send(command)));
      this.meter.answered(kind, answer.ConsumedCapacity ?? [], true);
      for (const item of answer.Responses?.[this.table] ?? []) found.add(item);
      const unread = answer.UnprocessedKeys?.[this.table]?.Keys ?? [];
      if (unread.length === left.length) {
        if (++i >= tries) throw storeThrottled();
        await this.pause(kind, i);
      }
      left = unread;
    }
  }

  async #told<T>(send: () => Promise<T>): Promise<T> {
    try {
      return await send();
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

function passes(reason: CancellationReason): boolean {
  return reason.Code === 'None' || reason.Code === 'TransactionConflict' || isThrottled(reason);
}

function asBusy(thrown: unknown, reasons: readonly CancellationReason[]): Error {
  const conflict = reasons.length === 0 || reasons.some(({ Code }) => Code === 'TransactionConflict');
  return conflict ? storeContended('one item', thrown) : storeThrottled(thrown);
}
