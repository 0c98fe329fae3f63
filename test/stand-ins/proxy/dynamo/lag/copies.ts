/**
 * The copies of tables from which stale reads are answered. The proxy reads a whole table once, when a copy is first
 * needed, and each item again after each write to it that passes through the proxy.
 */

import { draw } from '../../chance.ts';
import type { SendUpstream } from '../../send-upstream.ts';
import { touchedIndexes } from '../throttle/index-entries.ts';
import type { Touch } from '../throttle/touches.ts';
import { type Follower, lagging, oneBehind } from './followers.ts';
import type { Item } from './item.ts';
import { keyName, keyOf, type Schemas, type TableSchema } from './schemas.ts';
import { Shadow } from './shadow.ts';

export type CopyKind = 'lagging' | 'behind';

const suffixes: Readonly<Record<CopyKind, string>> = { lagging: '.lagging', behind: '.behind' };

/** True if the table is one of the proxy's own copies. */
export function isCopy(table: string): boolean {
  return Object.values(suffixes).some((suffix) => table.endsWith(suffix));
}

/**
 * The longest lags of the proxy's copies, in ms. Each version of an item gets a lag of its own between 0 and the
 * longest.
 */
export interface Lags {
  readonly laggingMs: number;
  readonly behindMs: number;
}

interface TableCopies {
  readonly images: Map<string, Item>;
  /** The number of writes of each item, from which the lag of each version is drawn. */
  readonly writes: Map<string, number>;
  readonly followers: Map<CopyKind, Follower>;
}

async function* itemsOf(send: SendUpstream, TableName: string): AsyncIterable<Item> {
  let ExclusiveStartKey: unknown;
  do {
    const page = await send('Scan', { TableName, ConsistentRead: true, ExclusiveStartKey });
    yield* page.Items as Item[];
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey !== undefined);
}

export class Copies {
  readonly #sendUpstream: SendUpstream;
  readonly #schemas: Schemas;
  readonly #seed: number;
  readonly #tables = new Map<string, TableCopies>();
  readonly #kinds = new Set<CopyKind>();
  /** True once the proxy keeps the current version of every item. */
  tracking = false;
  lags: Lags = { laggingMs: 0, behindMs: 0 };

  constructor(send: SendUpstream, schemas: Schemas, seed: number) {
    this.#sendUpstream = send;
    this.#schemas = schemas;
    this.#seed = seed;
  }

  /** Starts to track every table and to keep copies of these kinds. No other request may be in flight meanwhile. */
  async keep(kinds: readonly CopyKind[]): Promise<void> {
    this.tracking = true;
    for (const kind of kinds) this.#kinds.add(kind);
    const { TableNames } = await this.#sendUpstream('ListTables', {});
    for (const table of TableNames as string[]) if (!isCopy(table)) await this.add(table);
  }

  /** Tracks a table and creates the copies of it that are missing. Also called when a table was created. */
  async add(table: string): Promise<void> {
    const schema = await this.#schemas.of(table);
    if (!this.tracking || schema === undefined) return;
    let kept = this.#tables.get(table);
    if (kept === undefined) {
      kept = { images: new Map(), writes: new Map(), followers: new Map() };
      this.#tables.set(table, kept);
      for await (const item of itemsOf(this.#sendUpstream, table)) {
        kept.images.set(keyName(schema, keyOf(schema, item)), item);
      }
    }
    for (const kind of this.#kinds) {
      if (kept.followers.has(kind)) continue;
      const shadow = new Shadow(this.#sendUpstream, table + suffixes[kind]);
      await shadow.fill(schema, kept.images.values());
      kept.followers.set(kind, kind === 'lagging' ? lagging(shadow) : oneBehind(shadow));
    }
  }

  /** Deletes the copies of a table. Called when the table was deleted or changed. */
  async remove(table: string): Promise<void> {
    const kept = this.#tables.get(table);
    this.#tables.delete(table);
    for (const follower of kept?.followers.values() ?? []) {
      follower.close();
      await follower.shadow.drop();
    }
  }

  /** Returns the name of a table's copy, or undefined if there is none. */
  tableOf(table: string, kind: CopyKind): string | undefined {
    const shadow = this.#tables.get(table)?.followers.get(kind)?.shadow;
    shadow?.check();
    return shadow?.name;
  }

  imageOf(schema: TableSchema, key: Item): Item | undefined {
    return this.#tables.get(schema.name)?.images.get(keyName(schema, key));
  }

  /**
   * Reads an item again after a write and passes its new version to the copies. No other write of the item may be in
   * flight.
   */
  async learn({ schema, key }: Touch): Promise<void> {
    const kept = this.#tables.get(schema.name);
    if (kept === undefined) return;
    const name = keyName(schema, key);
    const read = await this.#sendUpstream('GetItem', {
      TableName: schema.name,
      Key: key,
      ConsistentRead: true,
    });
    const was = kept.images.get(name);
    const is = read.Item as Item | undefined;
    if (is === undefined) kept.images.delete(name);
    else kept.images.set(name, is);
    const [before, after] = [was, is].map((image) => ({ keyName: name, key, image })) as [never, never];
    const nth = (kept.writes.get(name) ?? 0) + 1;
    kept.writes.set(name, nth);
    const lag = (kind: CopyKind, upToMs: number): number =>
      upToMs === 0 ? 0 : upToMs * draw(this.#seed, kind, name, nth);
    const { laggingMs, behindMs } = this.lags;
    if (touchedIndexes(schema, was, is).length > 0) {
      await kept.followers.get('lagging')?.follow(before, after, lag('lagging', laggingMs));
    }
    await kept.followers.get('behind')?.follow(before, after, lag('behind', behindMs));
  }

  /** Ends every lag, and resolves when the proxy's copies are equal to their tables. */
  async caughtUp(): Promise<void> {
    for (const { followers } of this.#tables.values()) {
      for (const follower of followers.values()) await follower.caughtUp();
    }
  }

  close(): void {
    for (const { followers } of this.#tables.values()) for (const one of followers.values()) one.close();
  }
}
