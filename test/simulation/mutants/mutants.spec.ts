import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { mutants } from './mutants.ts';
import { mutated } from './mutate.ts';

const root = new URL('../../../', import.meta.url);

it('the simulation has 26 mutants, which are versions of Holdfast with one broken rule', () => {
  expect(new Set(mutants.map((mutant) => mutant.name)).size).toBe(26);
});

it.each(mutants)('the edits of the mutant $name fit its source file and change it', (mutant) => {
  const source = readFileSync(new URL(mutant.file, root), 'utf8');
  expect(mutated(source, mutant)).not.toBe(source);
});
