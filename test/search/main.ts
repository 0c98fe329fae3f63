// Searches the cases one by one, of Holdfast as it is or of a mutant; tells what was found as a line of JSON each.
import { parseArgs } from 'node:util';
import { mutate } from '../simulation/mutants/mutate.ts';
import { mutants } from './mutants.ts';

const { values } = parseArgs({ options: { mutant: { type: 'string' }, case: { type: 'string' } } });

if (values.mutant !== undefined) {
  const mutant = mutants.find(({ name }) => name === values.mutant);
  if (mutant === undefined) throw new Error(`There is no mutant '${values.mutant}'.`);
  mutate(mutant);
}
// Loaded late, so that a mutant's edits come before it.
const { explore } = await import('./explore.ts');
const { cases } = await import('./cases.ts');

for (const [name, one] of Object.entries(cases)) {
  if (values.case !== undefined && values.case !== name) continue;
  const { broken, ...counts } = await explore(one);
  const invariant = broken?.violation.invariant;
  console.log(
    JSON.stringify({ name, ...counts, invariant, broken: broken?.violation.message, way: broken?.way }),
  );
  if (invariant !== undefined) process.exitCode = 1;
}
