import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { lockFaults, packagesIn } from './packages.ts';

const lock = JSON.stringify({
  packages: {
    'node_modules/a': { version: '1.0.0' },
    'node_modules/@b/c': { version: '2.0.0' },
    'node_modules/a/node_modules/@b/c': { version: '1.5.0' },
    'node_modules/d': { version: '1.0.0', cpu: ['x64'] },
  },
});

it('packages are found below node_modules, those in scopes and in packages too', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-packages-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const expected = [
    { path: 'node_modules/@b/c', version: '2.0.0' },
    { path: 'node_modules/a', version: '1.0.0' },
    { path: 'node_modules/a/node_modules/@b/c', version: '1.5.0' },
  ];
  for (const { path, version } of expected) {
    mkdirSync(join(folder, path), { recursive: true });
    writeFileSync(join(folder, path, 'package.json'), JSON.stringify({ version }));
  }
  mkdirSync(join(folder, 'node_modules/.bin'));
  const found = packagesIn(folder);
  expect(found.toSorted((a, b) => a.path.localeCompare(b.path))).toEqual(expected);
  expect(lockFaults(found, lock)).toEqual([]);
});

it('a package of another version, one that the lock file lacks and one for some platforms only are faults', () => {
  const packages = [
    { path: 'node_modules/a', version: '1.0.1' },
    { path: 'node_modules/e', version: '1.0.0' },
    { path: 'node_modules/d', version: '1.0.0' },
  ];
  expect(lockFaults(packages, lock)).toEqual([
    'node_modules/a is 1.0.1, and 1.0.0 in the lock file',
    'node_modules/e is not in the lock file',
    'node_modules/d is for some platforms only',
  ]);
});
