/**
 * The copies from which lagging reads are answered. The proxy learns from what passes through it: it reads all of a
 * table once, when a copy is first wanted, and each item again after each write to it.
 */

import type { Ask } from '../../ask.ts';
import { draw } from '../../chance.ts';
import { touchedIndexes } from '../throttle/index-entries.ts';
import type { Touch } from '../throttle/touches.ts';
import { type Follower, lagging, oneBehind } from './followers.ts';
import type { Item } from './item.ts';
import { keyName, keyOf, type Schemas, type TableSchema } from './schemas.ts';
import { Shadow } from './shadow.ts';

export type CopyKind = 'lagging' | 'behind';

const suffixes: Readonly<Record<CopyKind, string>> = { lagging: '.lagging', behind: '.behind' };

/** Whether a table is one of the proxy's own copies. */
export function isCopy(table: string): boolean {
  return Object.values(suffixes).some((suffix) => table.endsWith(suffix));
}

/** Upper ends of the lags, in ms; each image draws its own from 0 up. */
export interface Lags {
  readonly laggingMs: number;
  readonly behindMs: number;
}

interface Kept {
  readonly images: Map<string, Item>;
  /** How often each item was written: each image draws a lag of its own. */
  readonly writes: Map<string, number>;
  readonly followers: Map<CopyKind, Follower>;
}

async function* itemsOf(ask: Ask, TableName: string): AsyncIterable<Item> {
  let ExclusiveStartKey: unknown;
  do {
    const page = await ask('Scan', { TableName, ConsistentRead: true, ExclusiveStartKey });
    yield* page.Items as Item[];
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey !== undefined);
}

export class Copies {
  readonly #ask: Ask;
  readonly #schemas: Schemas;
  readonly #seed: number;
  readonly #tables = new Map<string, Kept>();
  readonly #kinds = new Set<CopyKind>();
  /** Whether images are kept at all. */
  tracking = false;
  lags: Lags = { laggingMs: 0, behindMs: 0 };

  constructor(ask: Ask, schemas: Schemas, seed: number) {
    this.#ask = ask;
    this.#schemas = schemas;
    this.#seed = seed;
  }

  /** From now on images, and such copies, of every table. While nothing else passes. */
  async keep(kinds: readonly CopyKind[]): Promise<void> {
    this.tracking = true;
    for (const kind of kinds) this.#kinds.add(kind);
    const { TableNames } = await this.#ask('ListTables', {});
    for (const table of TableNames as string[]) if (!isCopy(table)) await this.add(table);
  }

  /** Once a table is made. A second time: adds the copies that it lacks. */
  async add(table: string): Promise<void> {
    const schema = await this.#schemas.of(table);
    if (!this.tracking || schema === undefined) return;
    let kept = this.#tables.get(table);
    if (kept === undefined) {
      kept = { images: new Map(), writes: new Map(), followers: new Map() };
      this.#tables.set(table, kept);
      for await (const item of itemsOf(this.#ask, table)) {
        kept.images.set(keyName(schema, keyOf(schema, item)), item);
      }
    }
    for (const kind of this.#kinds) {
      if (kept.followers.has(kind)) continue;
      const shadow = new Shadow(this.#ask, table + suffixes[kind]);
      await shadow.fill(schema, kept.images.values());
      kept.followers.set(kind, kind === 'lagging' ? lagging(shadow) : oneBehind(shadow));
    }
  }

  /** Once a table is gone. */
  async remove(table: string): Promise<void> {
    const kept = this.#tables.get(table);
    this.#tables.delete(table);
    for (const follower of kept?.followers.values() ?? []) {
      follower.close();
      await follower.shadow.drop();
    }
  }

  /** The copy's table, where there is one. */
  tableOf(table: string, kind: CopyKind): string | undefined {
    const shadow = this.#tables.get(table)?.followers.get(kind)?.shadow;
    shadow?.check();
    return shadow?.name;
  }

  imageOf(schema: TableSchema, key: Item): Item | undefined {
    return this.#tables.get(schema.name)?.images.get(keyName(schema, key));
  }

  /** After a write, while nobody else may write the item. */
  async learn({ schema, key }: Touch): Promise<void> {
    const kept = this.#tables.get(schema.name);
    if (kept === undefined) return;
    const name = keyName(schema, key);
    const read = await this.#ask('GetItem', { TableName: schema.name, Key: key, ConsistentRead: true });
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

  /** Ends every lag; resolves when the copies equal their tables. */
  async caughtUp(): Promise<void> {
    for (const { followers } of this.#tables.values()) {
      for (const follower of followers.values()) await follower.caughtUp();
    }
  }

  close(): void {
    for (const { followers } of this.#tables.values()) for (const one of followers.values()) one.close();
  }
}
