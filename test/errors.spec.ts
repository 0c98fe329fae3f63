import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { reasons } from '../src/core/errors.ts';

it('docs/errors.md explains every error reason and no other', () => {
  const text = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8');
  const explained = [...text.matchAll(/^\| ([A-Z_]+) \| \S/gm)].map(([, reason]) => reason);
  expect(explained).toEqual([...reasons]);
});
