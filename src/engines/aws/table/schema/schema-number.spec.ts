import { expect, it } from 'vitest';
import type { Registry, RegistryEntry } from '../../../../ports/registry.ts';
import {
  ensureReadable,
  isReadable,
  raiseTableSchema,
  readTableSchema,
  tableSchema,
} from './schema-number.ts';

/** A registry with one entry; `lost` writes fail as if another process had written first. */
function registry(lost = 0): Registry & { readonly writes: number[] } {
  let entry: RegistryEntry | undefined;
  let losses = lost;
  const writes: number[] = [];
  return {
    writes,
    get: async () => entry,
    put: async (_kind, key, value, expectRev) => {
      if (losses-- > 0 || expectRev !== (entry?.rev ?? 'absent')) return false;
      entry = { key, value, rev: (entry?.rev ?? 0) + 1 };
      writes.push((value as { number: number }).number);
      return true;
    },
    list: async () => (entry === undefined ? [] : [entry]),
  };
}

it('a table without a recorded schema has the first one, and nothing is written for it', async () => {
  const table = registry();
  await raiseTableSchema(table, 1);
  expect(await readTableSchema(table)).toBe(1);
  expect(table.writes).toEqual([]);
});

it('the schema of a table rises and is never lowered, also when another process writes first', async () => {
  const table = registry(2);
  await raiseTableSchema(table, 3);
  await raiseTableSchema(table, 2);
  expect(await readTableSchema(table)).toBe(3);
  expect(table.writes).toEqual([3]);
});

it('this version reads what it writes', () => {
  expect(isReadable(tableSchema.reads, tableSchema.writes)).toBe(true);
});

it('a version refuses a table of a newer schema, and one that is older than it reads', async () => {
  const table = registry();
  await raiseTableSchema(table, 3);
  await ensureReadable(table, 'jobs', { from: 2, to: 3 });
  await expect(ensureReadable(table, 'jobs', { from: 1, to: 2 })).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    reason: 'SCHEMA_NEWER',
    message: "The DynamoDB table 'jobs' has schema 3, and this Holdfast reads 1 to 2.",
    help: 'Run the version that wrote it, or a newer one.',
  });
  await expect(ensureReadable(table, 'jobs', { from: 4, to: 4 })).rejects.toMatchObject({
    help: 'Upgrade in steps: run a version in between first.',
  });
});
