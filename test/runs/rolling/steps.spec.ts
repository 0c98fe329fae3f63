import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
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

it('the schema numbers of a version are read from its sources', () => {
  expect(schemaOf(thisVersion, 'sqlite')).toEqual({ writes: schemaVersion, reads: schemaVersion });
  expect(schemaOf(thisVersion, 'aws').writes).toBeGreaterThan(0);
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-version-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const write = (file: string, text: string): void => {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  };
  expect(schemaOf({ folder }, 'aws')).toEqual({ writes: 1, reads: 1 });
  const file = 'src/engines/aws/table/schema/schema-number.ts';
  write(file, 'Object.freeze({\n  writes: 2,\n  reads: Object.freeze({ from: 1, to: 3 }),\n});');
  expect(schemaOf({ folder }, 'aws')).toEqual({ writes: 2, reads: 3 });
  write(file, 'nothing');
  expect(() => schemaOf({ folder }, 'aws')).toThrow(/states no schema number/);
});
