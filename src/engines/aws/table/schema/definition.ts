import { keyNames, ttlName } from './keys.ts';

/** How many partitions an index is spread over. They only grow: what was written is looked for in all of them. */
export interface ShardCounts {
  /** Each takes about 1,000 submissions a second of one queue, and each is a query of every page of a list. */
  readonly list: number;
  /** Each takes about 1,000 begins and ends of waits a second of all queues together, and each is a query a second. */
  readonly due: number;
}

/** Of a table that says nothing else; no table has fewer. */
export const defaultShards: ShardCounts = Object.freeze({ list: 4, due: 8 });
export const mostShards: ShardCounts = Object.freeze({ list: 64, due: 64 });

export type IndexName = 'list' | 'due' | 'exceptions';

export interface IndexDefinition {
  readonly name: IndexName;
  readonly partition: string;
  readonly sort: string;
  readonly sortType: 'S' | 'N';
  /** Beside the keys. Chosen so that none of them changes while an index entry stands. */
  readonly projected: readonly string[];
}

const { list, due, exceptions } = keyNames;

/**
 * The one definition of the table: `createTable` makes it, `checkTable` compares with it, and infrastructure as code
 * reads it. Billed per request.
 */
export const tableDefinition = Object.freeze({
  partition: keyNames.table[0],
  sort: keyNames.table[1],
  ttl: ttlName,
  billing: 'PAY_PER_REQUEST',
  indexes: [
    // Type and tags: what a list can be filtered by without reading the task.
    { name: 'list', partition: list[0], sort: list[1], sortType: 'S', projected: ['ty', 'tg', ttlName] },
    { name: 'due', partition: due[0], sort: due[1], sortType: 'N', projected: ['at', ttlName] },
    {
      name: 'exceptions',
      partition: exceptions[0],
      sort: exceptions[1],
      sortType: 'S',
      projected: [ttlName],
    },
  ] satisfies readonly IndexDefinition[],
} as const);
