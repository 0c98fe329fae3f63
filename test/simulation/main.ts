import { programOptions } from '../fixtures/program-options.ts';
import { Violation } from './checks/violation.ts';
import { huntAll } from './mutants/hunt.ts';
import { mutants } from './mutants/mutants.ts';
import { mutate } from './mutants/mutate.ts';
import { runSeeds } from './seed-threads.ts';

const values = programOptions('sim', { seeds: Number.NaN, seed: Number.NaN, mutants: false, mutant: '' });

function addCounts(to: Map<string, number>, more: ReadonlyMap<string, number>): void {
  for (const [kind, times] of more) to.set(kind, (to.get(kind) ?? 0) + times);
}

function printCounts(title: string, counts: ReadonlyMap<string, number>): void {
  console.log(`${title}:`);
  for (const [kind, times] of [...counts].sort()) console.log(`${times.toString().padStart(8)}  ${kind}`);
}

async function simulate(first: number, count: number): Promise<void> {
  const faults = new Map<string, number>();
  const events = new Map<string, number>();
  let steps = 0;
  let violations = 0;
  await runSeeds(first, count, (report) => {
    steps += report.steps;
    addCounts(faults, report.faults);
    addCounts(events, report.events);
    if (report.failure === undefined) return;
    violations++;
    console.log(`npm run sim -- --seed ${report.seed}`);
    console.log(report.failure);
  });
  printCounts('events', events);
  printCounts('faults', faults);
  console.log(`sim: seeds=${count} steps=${steps} violations=${violations}`);
  if (violations > 0) process.exitCode = 1;
}

/** Runs simulated clusters with one mutant of Holdfast until an invariant detects the mutant. */
async function huntMutant(name: string, first: number, count: number): Promise<void> {
  const mutant = mutants.find((one) => one.name === name);
  if (mutant === undefined) throw new Error(`There is no mutant '${name}'.`);
  mutate(mutant);
  // `run-seed.ts` is loaded only now, because a mutant's edits apply only to modules that are loaded after `mutate`.
  const { runSeed } = await import('./run-seed.ts');
  for (let seed = first; seed < first + count; seed++) {
    const { failure } = await runSeed(seed, mutant.restatedBy);
    if (!(failure instanceof Violation)) continue;
    console.log(`npm run sim -- --mutant ${name} --seed ${seed}`);
    console.log(failure.message);
    console.log(`caught: seed=${seed} invariant=${failure.invariant}`);
    return;
  }
}

const numberOrUndefined = (value: number): number | undefined => (Number.isNaN(value) ? undefined : value);
const first = numberOrUndefined(values.seed) ?? 1;
const requestedSeeds =
  numberOrUndefined(values.seeds) ?? (numberOrUndefined(values.seed) === undefined ? undefined : 1);
if (values.mutants) process.exitCode = huntAll(requestedSeeds ?? 2_000) ? 0 : 1;
else if (values.mutant !== '') await huntMutant(values.mutant, first, requestedSeeds ?? 2_000);
else await simulate(first, requestedSeeds ?? 100);
