import { HoldfastError } from '../../../../core/errors.ts';
import type { Registry } from '../../../../ports/registry.ts';

/** Table schemas, from the lowest to the highest. */
export interface SchemaRange {
  readonly from: number;
  readonly to: number;
}

/**
 * The number of the format of rows and messages that this version writes, and the numbers that it reads. A new number is
 * needed when a version writes what an earlier one cannot read; docs/upgrading.md has the rules. The image has both
 * numbers as labels, so that a rollback is judged without a start of the image.
 */
export const tableSchema: { readonly writes: number; readonly reads: SchemaRange } = Object.freeze({
  writes: 1,
  reads: Object.freeze({ from: 1, to: 1 }),
});

/** The schema of a table whose registry has no entry `schema`. Every table began with it. */
const firstSchema = 1;

const kind = 'schema';
const key = 'table';

interface StoredSchema {
  readonly number: number;
}

/** Reads the number of the newest format in which a process may have written to the table, consistently. */
export async function readTableSchema(registry: Registry): Promise<number> {
  const entry = await registry.get(kind, key);
  return (entry?.value as StoredSchema | undefined)?.number ?? firstSchema;
}

/**
 * Records that processes write the table in a format. The number is never lowered, since rows of the newer format stay.
 * `holdfast aws init` calls it before the first process of the new version starts.
 */
export async function raiseTableSchema(registry: Registry, number = tableSchema.writes): Promise<void> {
  for (;;) {
    const entry = await registry.get(kind, key);
    const found = (entry?.value as StoredSchema | undefined)?.number ?? firstSchema;
    if (found >= number) return;
    if (await registry.put(kind, key, { number }, entry?.rev ?? 'absent')) return;
  }
}

/** True if a version that reads these schemas can read a table of the schema `found`. */
export function isReadable({ from, to }: SchemaRange, found: number): boolean {
  return found >= from && found <= to;
}

/**
 * @throws HoldfastError FAILED_PRECONDITION, reason SCHEMA_NEWER, if this version cannot read the table.
 */
export async function ensureReadable(
  registry: Registry,
  table: string,
  reads: SchemaRange = tableSchema.reads,
): Promise<void> {
  const found = await readTableSchema(registry);
  if (isReadable(reads, found)) return;
  const known = reads.from === reads.to ? String(reads.to) : `${reads.from} to ${reads.to}`;
  throw new HoldfastError(
    'FAILED_PRECONDITION',
    'SCHEMA_NEWER',
    `The DynamoDB table '${table}' has schema ${found}, and this Holdfast reads ${known}.`,
    {
      help:
        found > reads.to
          ? 'Run the version that wrote it, or a newer one.'
          : 'Upgrade in steps: run a version in between first.',
    },
  );
}
