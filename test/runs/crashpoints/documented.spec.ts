import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { scenarios } from './scenarios.ts';

it('README.md names the number of scenarios of `npm run crashpoints`', () => {
  const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8').replaceAll(/\s+/g, ' ');
  expect(readme).toContain(`at every request that ${scenarios.length} scenarios of a task's life make`);
});
