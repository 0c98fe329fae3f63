import type { Ask } from '../../ask.ts';
import type { AttributeValue, Item } from './item.ts';

export interface IndexSchema {
  readonly name: string;
  readonly hash: string;
  readonly range: string | undefined;
  /** The attributes whose change costs an index write, its keys aside; `all`: every attribute. */
  readonly projected: readonly string[] | 'all';
}

export interface TableSchema {
  readonly name: string;
  readonly hash: string;
  readonly range: string | undefined;
  readonly indexes: readonly IndexSchema[];
  /** What CreateTable needs to make another of the same shape. */
  readonly shape: Readonly<Record<string, unknown>>;
}

interface KeyElement {
  readonly AttributeName: string;
  readonly KeyType: 'HASH' | 'RANGE';
}
interface DescribedIndex {
  readonly IndexName: string;
  readonly KeySchema: readonly KeyElement[];
  readonly Projection: { readonly ProjectionType: string; readonly NonKeyAttributes?: readonly string[] };
}
interface Described {
  readonly AttributeDefinitions: unknown;
  readonly KeySchema: readonly KeyElement[];
  readonly GlobalSecondaryIndexes?: readonly DescribedIndex[];
  readonly LocalSecondaryIndexes?: readonly DescribedIndex[];
}

function keysOf(elements: readonly KeyElement[]): { hash: string; range: string | undefined } {
  const of = (type: string): string | undefined => elements.find((e) => e.KeyType === type)?.AttributeName;
  return { hash: of('HASH') ?? '', range: of('RANGE') };
}

function indexOf(described: DescribedIndex): IndexSchema {
  const { ProjectionType: type, NonKeyAttributes: named = [] } = described.Projection;
  const keys = keysOf(described.KeySchema);
  return { name: described.IndexName, ...keys, projected: type === 'ALL' ? 'all' : named };
}

function shapeOf(table: Described): Readonly<Record<string, unknown>> {
  const bare = (indexes: readonly DescribedIndex[]): unknown =>
    indexes.map(({ IndexName, KeySchema, Projection }) => ({ IndexName, KeySchema, Projection }));
  const { AttributeDefinitions, KeySchema, GlobalSecondaryIndexes, LocalSecondaryIndexes } = table;
  return {
    AttributeDefinitions,
    KeySchema,
    BillingMode: 'PAY_PER_REQUEST',
    ...(GlobalSecondaryIndexes && { GlobalSecondaryIndexes: bare(GlobalSecondaryIndexes) }),
    ...(LocalSecondaryIndexes && { LocalSecondaryIndexes: bare(LocalSecondaryIndexes) }),
  };
}

/** Table schemas, asked of the upstream once each. */
export class Schemas {
  readonly #ask: Ask;
  readonly #known = new Map<string, Promise<TableSchema | undefined>>();

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** Undefined: there is no such table (the upstream will say so itself). */
  of(table: string): Promise<TableSchema | undefined> {
    let known = this.#known.get(table);
    if (known === undefined) {
      known = this.#describe(table);
      this.#known.set(table, known);
      known.then((schema) => schema ?? this.#known.delete(table));
    }
    return known;
  }

  /** The table is made, changed or gone. */
  forget(table: string): void {
    this.#known.delete(table);
  }

  async #describe(name: string): Promise<TableSchema | undefined> {
    const described = await this.#ask('DescribeTable', { TableName: name }).catch(() => undefined);
    if (described === undefined) return undefined;
    const table = described.Table as Described;
    const indexes = [...(table.GlobalSecondaryIndexes ?? []), ...(table.LocalSecondaryIndexes ?? [])];
    return { name, ...keysOf(table.KeySchema), indexes: indexes.map(indexOf), shape: shapeOf(table) };
  }
}

export function keyOf(schema: TableSchema, item: Item): Item {
  const names = schema.range === undefined ? [schema.hash] : [schema.hash, schema.range];
  return Object.fromEntries(names.map((name) => [name, item[name] as AttributeValue]));
}

/** One text for one item of one table, whatever the order of its attributes. */
export function keyName(schema: TableSchema, key: Item): string {
  return JSON.stringify([schema.name, key[schema.hash], schema.range && key[schema.range]]);
}
