import { HoldfastError, invalid } from '../../../../core/errors.ts';
import type { Registry } from '../../../../ports/registry.ts';
import { defaultShards, mostShards, type ShardCounts } from './definition.ts';

/** One entry of the registry. Absent: the defaults. */
const kind = 'shards';
const key = 'counts';

/** How many shards the indexes of a table have, as the table itself keeps it. */
export interface TableShards {
  /** Where readers look. */
  readonly read: ShardCounts;
  /** Where writers write: fewer than are read while a growth is new, so that every reader knows of a shard before it is used. */
  readonly written: ShardCounts;
  readonly rev: number | 'absent';
}

/** What is not named stays as it is. */
export interface AskedShards {
  readonly list?: number | undefined;
  readonly due?: number | undefined;
}

export const initialShards: TableShards = Object.freeze({
  read: defaultShards,
  written: defaultShards,
  rev: 'absent',
});

interface Stored extends ShardCounts {
  /** While a growth is new: the counts before it. */
  readonly before?: ShardCounts | undefined;
}

/** By a consistent read. */
export async function shardsOf(registry: Registry): Promise<TableShards> {
  const found = await registry.get(kind, key);
  if (found === undefined) return initialShards;
  const { list, due, before = { list, due } } = found.value as Stored;
  return { read: { list, due }, written: before, rev: found.rev };
}

function put(registry: Registry, stored: Stored, rev: TableShards['rev']): Promise<boolean> {
  return registry.put(kind, key, stored, rev);
}

const indexes = ['list', 'due'] as const;

function checkLimits(asked: AskedShards): void {
  const violations = indexes
    .filter((index) => {
      const count = asked[index] ?? defaultShards[index];
      return !Number.isInteger(count) || count < defaultShards[index] || count > mostShards[index];
    })
    .map((index) => ({
      field: `shards.${index}`,
      description: `must be a whole number from ${defaultShards[index]} to ${mostShards[index]}`,
    }));
  if (violations.length > 0) throw invalid(violations);
}

function refuseFewer(asked: AskedShards, { read }: TableShards): void {
  for (const index of indexes) {
    const count = asked[index] ?? read[index];
    if (count >= read[index]) continue;
    throw new HoldfastError(
      'FAILED_PRECONDITION',
      'BAD_CONFIGURATION',
      `The ${index} index has ${read[index]} shards, and ${count} were asked for: their number only grows.`,
      { help: `Ask for ${read[index]} or more; tasks that are in the other shards would not be found.` },
    );
  }
}

/**
 * What is asked for, held against what there is; nothing is changed.
 *
 * @throws HoldfastError INVALID_ARGUMENT, BAD_FIELD: beyond a limit. FAILED_PRECONDITION, BAD_CONFIGURATION: fewer
 * than there are.
 */
export async function checkShards(registry: Registry, asked: AskedShards): Promise<TableShards> {
  checkLimits(asked);
  const found = await shardsOf(registry);
  refuseFewer(asked, found);
  return found;
}

/** Makes them so many. Answers what was found before. Throws as `checkShards`. */
export async function growShards(registry: Registry, asked: AskedShards): Promise<TableShards> {
  for (;;) {
    const found = await checkShards(registry, asked);
    const { list = found.read.list, due = found.read.due } = asked;
    if (list === found.read.list && due === found.read.due) return found;
    if (await put(registry, { list, due, before: found.written }, found.rev)) return found;
  }
}

/** From now on all that are read are written to. False: somebody else was first, or they have grown since. */
export function settleShards(registry: Registry, { read, rev }: TableShards): Promise<boolean> {
  return put(registry, read, rev);
}
