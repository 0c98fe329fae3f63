import type { SendUpstream } from '../../send-upstream.ts';
import type { AttributeValue, Item } from './item.ts';

export interface IndexSchema {
  readonly name: string;
  readonly hash: string;
  readonly range: string | undefined;
  /**
   * The attributes that the index projects, apart from the keys. A change of one of them costs an index write. `all`
   * stands for all attributes.
   */
  readonly projected: readonly string[] | 'all';
}

export interface TableSchema {
  readonly name: string;
  readonly hash: string;
  readonly range: string | undefined;
  readonly indexes: readonly IndexSchema[];
  /** The CreateTable parameters for another table with the same keys and indexes. */
  readonly shape: Readonly<Record<string, unknown>>;
}

interface KeyElement {
  readonly AttributeName: string;
  readonly KeyType: 'HASH' | 'RANGE';
}
interface IndexDescription {
  readonly IndexName: string;
  readonly KeySchema: readonly KeyElement[];
  readonly Projection: { readonly ProjectionType: string; readonly NonKeyAttributes?: readonly string[] };
}
interface TableDescription {
  readonly AttributeDefinitions: unknown;
  readonly KeySchema: readonly KeyElement[];
  readonly GlobalSecondaryIndexes?: readonly IndexDescription[];
  readonly LocalSecondaryIndexes?: readonly IndexDescription[];
}

function keysOf(elements: readonly KeyElement[]): { hash: string; range: string | undefined } {
  const of = (type: string): string | undefined => elements.find((e) => e.KeyType === type)?.AttributeName;
  return { hash: of('HASH') ?? '', range: of('RANGE') };
}

function indexOf(description: IndexDescription): IndexSchema {
  const { ProjectionType: type, NonKeyAttributes: named = [] } = description.Projection;
  const keys = keysOf(description.KeySchema);
  return { name: description.IndexName, ...keys, projected: type === 'ALL' ? 'all' : named };
}

function shapeOf(table: TableDescription): Readonly<Record<string, unknown>> {
  const bare = (indexes: readonly IndexDescription[]): unknown =>
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

/** Reads the schemas of tables from the stand-in, each schema once. */
export class Schemas {
  readonly #sendUpstream: SendUpstream;
  readonly #known = new Map<string, Promise<TableSchema | undefined>>();

  constructor(send: SendUpstream) {
    this.#sendUpstream = send;
  }

  /**
   * Returns the schema of a table, or undefined if the table does not exist; the stand-in then refuses the request
   * itself.
   */
  of(table: string): Promise<TableSchema | undefined> {
    let known = this.#known.get(table);
    if (known === undefined) {
      known = this.#describe(table);
      this.#known.set(table, known);
      known.then((schema) => schema ?? this.#known.delete(table));
    }
    return known;
  }

  /** Forgets the schema of a table that was created, changed or deleted. */
  forget(table: string): void {
    this.#known.delete(table);
  }

  async #describe(name: string): Promise<TableSchema | undefined> {
    const description = await this.#sendUpstream('DescribeTable', { TableName: name }).catch(() => undefined);
    if (description === undefined) return undefined;
    const table = description.Table as TableDescription;
    const indexes = [...(table.GlobalSecondaryIndexes ?? []), ...(table.LocalSecondaryIndexes ?? [])];
    return { name, ...keysOf(table.KeySchema), indexes: indexes.map(indexOf), shape: shapeOf(table) };
  }
}

export function keyOf(schema: TableSchema, item: Item): Item {
  const names = schema.range === undefined ? [schema.hash] : [schema.hash, schema.range];
  return Object.fromEntries(names.map((name) => [name, item[name] as AttributeValue]));
}

/** A text that identifies one item of one table, independent of the order of the key attributes. */
export function keyName(schema: TableSchema, key: Item): string {
  return JSON.stringify([schema.name, key[schema.hash], schema.range && key[schema.range]]);
}
