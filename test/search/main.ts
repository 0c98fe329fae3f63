// Searches the states of each search case, in Holdfast as it is or in a mutant of it, and prints one line of JSON for
// each case.
import { parseArgs } from 'node:util';
import { mutate } from '../simulation/mutants/mutate.ts';
import { mutants } from './mutants.ts';

const { values } = parseArgs({ options: { mutant: { type: 'string' }, case: { type: 'string' } } });

if (values.mutant !== undefined) {
  const mutant = mutants.find(({ name }) => name === values.mutant);
  if (mutant === undefined) throw new Error(`There is no mutant '${values.mutant}'.`);
  mutate(mutant);
}
// These modules are imported after the edits of the mutant, so that the imported code contains the edits.
const { explore } = await import('./explore.ts');
const { cases } = await import('./cases.ts');

for (const [name, one] of Object.entries(cases)) {
  if (values.case !== undefined && values.case !== name) continue;
  const { broken, ...counts } = await explore(one);
  const invariant = broken?.violation.invariant;
  console.log(
    JSON.stringify({ name, ...counts, invariant, broken: broken?.violation.message, steps: broken?.steps }),
  );
  if (invariant !== undefined) process.exitCode = 1;
}
