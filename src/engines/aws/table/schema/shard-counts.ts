import { HoldfastError } from '../../../../core/errors.ts';
import { Violations, whole } from '../../../../core/rules.ts';
import type { Registry } from '../../../../ports/registry.ts';
import { defaultShards, mostShards, type ShardCounts } from './definition.ts';

/** Kind of the registry entry with the shard counts. Without that entry the default shard counts apply. */
const kind = 'shards';
const key = 'counts';

/** Shard counts of a table's indexes, as stored in the table itself. */
export interface TableShards {
  /** Number of shards of each index that readers query. */
  readonly read: ShardCounts;
  /**
   * Number of shards that writers use. For a while after shards were added it is lower than `read`, so that every
   * reader knows a new shard before a writer uses it.
   */
  readonly written: ShardCounts;
  readonly rev: number | 'absent';
}

/** Requested shard counts. An absent count stays as it is. */
export interface RequestedShards {
  readonly list?: number | undefined;
  readonly due?: number | undefined;
}

export const initialShards: TableShards = Object.freeze({
  read: defaultShards,
  written: defaultShards,
  rev: 'absent',
});

interface StoredCounts extends ShardCounts {
  /** The shard counts before the last shards were added. Present until writers may use the new shards. */
  readonly before?: ShardCounts | undefined;
}

/** Reads the shard counts of a table, consistently. */
export async function readShardCounts(registry: Registry): Promise<TableShards> {
  const current = await registry.get(kind, key);
  if (current === undefined) return initialShards;
  const { list, due, before = { list, due } } = current.value as StoredCounts;
  return { read: { list, due }, written: before, rev: current.rev };
}

function put(registry: Registry, stored: StoredCounts, rev: TableShards['rev']): Promise<boolean> {
  return registry.put(kind, key, stored, rev);
}

const indexes = ['list', 'due'] as const;

function checkLimits(requested: RequestedShards): void {
  const found = new Violations();
  for (const index of indexes) {
    const rule = whole(defaultShards[index], mostShards[index], 'shards');
    found.add(`shards.${index}`, rule(requested[index] ?? defaultShards[index]));
  }
  found.throwIfAny();
}

function refuseFewer(requested: RequestedShards, { read }: TableShards): void {
  for (const index of indexes) {
    const count = requested[index] ?? read[index];
    if (count >= read[index]) continue;
    throw new HoldfastError(
      'FAILED_PRECONDITION',
      'BAD_CONFIGURATION',
      `The ${index} index has ${read[index]} shards, and ${count} were requested: their number only grows.`,
      { help: `Request ${read[index]} or more: with fewer, tasks in the other shards would not be found.` },
    );
  }
}

/**
 * Compares the requested shard counts with the shard counts in the table. Writes nothing.
 *
 * @throws HoldfastError INVALID_ARGUMENT, BAD_FIELD if a count is beyond its limits; FAILED_PRECONDITION,
 * BAD_CONFIGURATION if a count is lower than the current one.
 */
export async function checkShards(registry: Registry, requested: RequestedShards): Promise<TableShards> {
  checkLimits(requested);
  const current = await readShardCounts(registry);
  refuseFewer(requested, current);
  return current;
}

/**
 * Raises the shard counts of a table to the requested counts. Returns the shard counts as they were before. Throws the
 * errors that `checkShards` throws.
 */
export async function growShards(registry: Registry, requested: RequestedShards): Promise<TableShards> {
  for (;;) {
    const current = await checkShards(registry, requested);
    const { list = current.read.list, due = current.read.due } = requested;
    if (list === current.read.list && due === current.read.due) return current;
    if (await put(registry, { list, due, before: current.written }, current.rev)) return current;
  }
}

/**
 * Lets writers use all shards that readers query. Returns false if another process did so first, or if the shard
 * counts have grown in the meantime.
 */
export function settleShards(registry: Registry, { read, rev }: TableShards): Promise<boolean> {
  return put(registry, read, rev);
}
