import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { packageVersion } from './version.ts';

it('the version in the sources is that of package.json', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  expect(packageVersion, 'run `node scripts/version.ts`').toBe(version);
});
