/**
 * Tears transactions, as AWS documents it: `Query`, `Scan` and `BatchGetItem` are only read-committed beside a
 * TransactWriteItems request. They may show some items of a transaction as they were before and others as they are after it.
 * GetItem and TransactGetItems are serializable and pass through. The answer to a torn transaction is held until all of its
 * items are visible, because a consistent read shows every write that was answered before it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer, Call, Json, LoggedCall } from '../../call.ts';
import { draw } from '../../chance.ts';
import type { SendUpstream } from '../../send-upstream.ts';
import type { Item } from '../lag/item.ts';
import type { Schemas, TableSchema } from '../lag/schemas.ts';
import type { Touch } from '../throttle/touches.ts';
import { type HiddenItem, HiddenItems } from './hidden-items.ts';
import { partitionOf, tornBatch, tornPage } from './torn-read.ts';

/** The share (0 to 1) of the transactions that are torn, and the longest time in ms until an item is visible. */
export interface Tear {
  readonly share: number;
  readonly upToMs: number;
}

export class Tears {
  readonly #sendUpstream: SendUpstream;
  readonly #schemas: Schemas;
  readonly #seed: number;
  readonly #hidden = new HiddenItems();
  /** For each transaction whose answer is held, the end of the hold. */
  readonly #held = new Map<Call, Promise<void>>();
  #ending = new AbortController();
  /** Undefined if no transaction is torn. */
  tear: Tear | undefined;

  constructor(send: SendUpstream, schemas: Schemas, seed: number) {
    this.#sendUpstream = send;
    this.#schemas = schemas;
    this.#seed = seed;
  }

  /**
   * Sends a request that writes items. Seed and call decide whether it is torn, and the order in which its items become
   * visible. No other write of the items may be in flight.
   */
  async write(call: LoggedCall, writes: readonly Touch[], send: () => Promise<Answer>): Promise<Answer> {
    const { tear } = this;
    if (tear === undefined) return send();
    const isTransaction = call.operation === 'TransactWriteItems' && writes.length > 1;
    if (!isTransaction || draw(this.#seed, 'torn', call.n) >= tear.share) {
      const answer = await send();
      if (answer.status === 200) for (const { schema, key } of writes) this.#hidden.rewritten(schema, key);
      return answer;
    }
    call.fault = 'torn';
    const items = await Promise.all(writes.map((write) => this.#before(write)));
    for (const item of items) this.#hidden.hide(item);
    const answer = await send().catch((thrown: unknown) => {
      for (const item of items) this.#hidden.show(item);
      throw thrown;
    });
    if (answer.status !== 200) for (const item of items) this.#hidden.show(item);
    else this.#committed(call, items, tear.upToMs);
    return answer;
  }

  async #before({ schema, key }: Touch): Promise<HiddenItem> {
    const read = await this.#sendUpstream('GetItem', {
      TableName: schema.name,
      Key: key,
      ConsistentRead: true,
    });
    const before = read.Item as Item | undefined;
    return { schema, key, before, visibleAtMs: Number.POSITIVE_INFINITY };
  }

  #committed(call: Call, items: readonly HiddenItem[], upToMs: number): void {
    const nowMs = performance.now();
    for (const [i, item] of items.entries()) {
      item.visibleAtMs = nowMs + upToMs * draw(this.#seed, 'visible', call.n, i);
    }
    const longestMs = Math.max(...items.map(({ visibleAtMs }) => visibleAtMs)) - nowMs;
    const end = sleep(longestMs, undefined, { signal: this.#ending.signal, ref: false })
      .catch(() => undefined)
      .finally(() => this.#held.delete(call));
    this.#held.set(call, end);
  }

  /** Resolves when the answer to the call may be returned. */
  async shown(call: Call): Promise<void> {
    await this.#held.get(call);
  }

  /** Answers a read of several items. `send` sends the read with another body. */
  async read(operation: string, body: Json, send: (body: Json) => Promise<Answer>): Promise<Answer> {
    if (this.tear === undefined || body.IndexName !== undefined) return send(body);
    if (operation === 'BatchGetItem') {
      const tables = Object.keys((body.RequestItems ?? {}) as Json);
      const schemas = new Map<string, TableSchema>();
      for (const table of tables) {
        const schema = await this.#schemas.of(table);
        if (schema !== undefined) schemas.set(table, schema);
      }
      const answer = await send(body);
      const nowMs = performance.now();
      const hiddenOf = (table: string) => {
        const schema = schemas.get(table) as TableSchema;
        return [schema, this.#hidden.of(table, undefined, nowMs)] as const;
      };
      return tables.every((table) => hiddenOf(table)[1].size === 0) ? answer : tornBatch(answer, hiddenOf);
    }
    const schema = await this.#schemas.of(String(body.TableName));
    if (schema === undefined) return send(body);
    const partition = operation === 'Query' ? partitionOf(schema, body) : undefined;
    const hidden = () => this.#hidden.of(schema.name, partition, performance.now());
    return tornPage(schema, body, hidden, send);
  }

  /** Shows every hidden item, and returns the answers that are held. */
  async end(): Promise<void> {
    this.#hidden.showAll();
    this.#ending.abort();
    this.#ending = new AbortController();
    await Promise.all(this.#held.values());
  }
}
