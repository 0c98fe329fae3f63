/** Compares what the docs say of schema numbers and of the labels of an image with the sources. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { imageLabels } from '../src/core/deployments/names.ts';
import { registryKey } from '../src/engines/aws/table/schema/keys.ts';
import { tableSchema } from '../src/engines/aws/table/schema/schema-number.ts';
import { schemaVersion } from '../src/engines/sqlite/file/schema.ts';

const page = (name: string): string => readFileSync(new URL(`../docs/${name}.md`, import.meta.url), 'utf8');
const { schema, readsSchema, storeSchema } = imageLabels;

it('docs/upgrading.md has the schema numbers that this build writes and reads', () => {
  const { writes, reads } = tableSchema;
  const text = page('upgrading');
  expect(text).toContain(`| written now | ${writes} | ${schemaVersion} |\n`);
  const range = reads.from === reads.to ? `${reads.to}` : `${reads.from} to ${reads.to}`;
  expect(text).toContain(`| read now | ${range} | ${schemaVersion}, and lower ones, which are upgraded |\n`);
});

it('every page about the labels of an image names those that the image may have', () => {
  for (const [name, labels] of [
    ['upgrading', [schema, readsSchema, storeSchema]],
    ['image', [schema, readsSchema, storeSchema]],
    ['runbooks/rollback', [schema, readsSchema]],
  ] as const) {
    const found = [...page(name).matchAll(/io\.holdfast\.[\w-]*\w/g)].map(([label]) => label);
    expect([...new Set(found)].sort(), name).toEqual([...labels].sort());
  }
});

it('the runbook of a rollback reads the schema of the table where it is stored', () => {
  expect(page('runbooks/rollback')).toContain(`--key '${JSON.stringify(registryKey('schema', 'table'))}'`);
});
