import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { tableSchema } from '../../../src/engines/aws/table/schema/schema-number.ts';
import { schemaVersion } from '../../../src/engines/sqlite/file/schema.ts';
import { schemaOf } from './schema.ts';
import { stepsOf } from './steps.ts';
import { thisVersion } from './versions.ts';

it('every step names a version for each server and each worker, and the run ends with the new one', () => {
  for (const engine of ['sqlite', 'aws'] as const) {
    for (const goesBack of [true, false]) {
      const steps = stepsOf(engine, goesBack);
      const counts = steps.map(({ servers, workers }) => `${servers.length} ${workers.length}`);
      expect(new Set(counts).size).toBe(1);
      expect(new Set(steps.at(-1)?.servers)).toEqual(new Set(['new']));
    }
  }
});

it('versions are mixed on the table, an older version finds events of a newer kind, and without a way back none returns', () => {
  const isMixed = (versions: readonly string[]): boolean => new Set(versions).size > 1;
  expect(stepsOf('aws', true).filter(({ servers }) => isMixed(servers)).length).toBeGreaterThan(1);
  for (const engine of ['sqlite', 'aws'] as const) {
    const newer = stepsOf(engine, true).filter(({ hasNewerEvents }) => hasNewerEvents === true);
    expect(newer.map(({ servers }) => new Set(servers))).toEqual([new Set(['old'])]);
    const forward = stepsOf(engine, false).map(({ servers }) => servers[0]);
    expect(forward.indexOf('new')).toBeGreaterThan(forward.lastIndexOf('old'));
  }
});

it('the schema numbers of a version are those that its own modules export, and the first of the table without one', async () => {
  const { writes, reads } = tableSchema;
  expect(await schemaOf(thisVersion, 'sqlite')).toEqual({ writes: schemaVersion, reads: schemaVersion });
  expect(await schemaOf(thisVersion, 'aws')).toEqual({ writes, reads: reads.to });
  const version = (text: string | undefined) => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-version-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'src/engines/aws/table/schema/schema-number.ts');
    mkdirSync(dirname(file), { recursive: true });
    if (text !== undefined) writeFileSync(file, text);
    return { folder };
  };
  expect(await schemaOf(version(undefined), 'aws')).toEqual({ writes: 1, reads: 1 });
  const next = 'export const tableSchema = { writes: 2, reads: { from: 1, to: 3 } };';
  expect(await schemaOf(version(next), 'aws')).toEqual({ writes: 2, reads: 3 });
  await expect(schemaOf(version('export const other = 1;'), 'aws')).rejects.toThrow(/no schema number/);
});
