import { keyNames, ttlName } from './keys.ts';

/**
 * Number of shards (partitions) of each sharded index. The numbers only grow, because readers must query every shard
 * that was ever written to.
 */
export interface ShardCounts {
  /**
   * Number of shards of the list index. Each shard carries about 1,000 submissions a second of one queue, and adds one
   * query to every page of a list.
   */
  readonly list: number;
  /**
   * Number of shards of the due index. Each shard carries about 1,000 added and removed due entries a second, over all
   * queues together, and adds one query a second.
   */
  readonly due: number;
}

/** Shard counts of a table whose registry has no `shards` entry. No table has fewer shards. */
export const defaultShards: ShardCounts = Object.freeze({ list: 4, due: 8 });
export const mostShards: ShardCounts = Object.freeze({ list: 64, due: 64 });

export type IndexName = 'list' | 'due' | 'exceptions';

export interface IndexDefinition {
  readonly name: IndexName;
  readonly partition: string;
  readonly sort: string;
  readonly sortType: 'S' | 'N';
  /** Attributes that the index copies beside its keys. None of them changes while an index entry exists. */
  readonly projected: readonly string[];
}

const { list, due, exceptions } = keyNames;

/**
 * The only definition of the DynamoDB table. `createTable` creates a table from this definition, `checkTable` compares
 * a table with it, and infrastructure as code can read it. AWS bills the table per request.
 */
export const tableDefinition = Object.freeze({
  partition: keyNames.table[0],
  sort: keyNames.table[1],
  ttl: ttlName,
  billing: 'PAY_PER_REQUEST',
  indexes: [
    // The type and the tags are projected, so that a list can filter by type or tag without reading the tasks.
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
