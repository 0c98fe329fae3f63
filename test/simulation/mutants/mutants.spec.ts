import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { mutants } from './mutants.ts';
import { mutated } from './mutate.ts';

const root = new URL('../../../', import.meta.url);

it('the simulation has eleven mutants', () => {
  expect(new Set(mutants.map((mutant) => mutant.name)).size).toBe(11);
});

it.each(mutants)('the mutant $name fits its source file and changes it', (mutant) => {
  const source = readFileSync(new URL(mutant.file, root), 'utf8');
  expect(mutated(source, mutant)).not.toBe(source);
});
